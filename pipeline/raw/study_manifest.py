"""What study.json says of servers and of designed experiments; values that are not possible are problems, left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.raw import texts
from pipeline.raw.facts import MAX_FACTS
from pipeline.raw.manifest import ManifestReader, json_path, json_quote
from pipeline.raw.records import is_safe_name

MAX_PERIOD_US = 1_000_000
"""The kernel's largest period of a CPU quota."""
MAX_NUMBER = 1_000_000
"""Of a block, a replicate, a cell, and of the order of recording."""
MAX_FACTORS = 64
MAX_LEVEL_CHARACTERS = 64

BRANCHES = ("virtualization type", "resource management", "workload")
"""Kinds of influence factors, as in the paper's Figure 1."""

Level = str | int | float | bool


@dataclass(frozen=True)
class Factor:
    """An influence factor that a study varies."""

    name: str
    title: str
    unit: str | None
    branch: str | None
    """One of ``BRANCHES``; None if study.json does not say."""
    levels: tuple[Level, Level]
    """The low level and the high one, −1 and +1 of a two-level design."""

    def level_text(self, sign: int) -> str:
        """A level as text, with its unit: ``1 CPU``, ``poisson``; ``sign``: −1 or +1."""
        level = self.levels[(sign + 1) // 2]
        if isinstance(level, bool):
            return "yes" if level else "no"
        text = level if isinstance(level, str) else f"{level:g}"
        return f"{text} {self.unit}" if self.unit and not isinstance(level, str) else text


@dataclass(frozen=True)
class FactorRun:
    """A planned run of a designed experiment."""

    server: str
    run: str
    virtual_server: str
    """The one that is measured."""
    signs: dict[str, int]
    """Factor → −1 or +1."""
    block: int | str | None = None
    replicate: int | None = None
    cell: int | None = None
    order: int | None = None
    """Number in the order of recording."""


def drop_invalid_values(manifest: dict[str, Any], issues: list[str]) -> None:
    """Leave out what no server and no designed experiment can have; each is a problem, added to ``issues``."""
    reader = ManifestReader("study.json", issues)
    _check_envelopes(manifest, reader)
    _check_factors(manifest, reader)
    _check_factor_runs(manifest, reader)


# -- servers -----------------------------------------------------------------------------------------------


def _check_envelopes(manifest: dict[str, Any], reader: ManifestReader) -> None:
    """CPUs, quotas and memory of the servers."""
    servers = manifest.get("servers")
    for name, server in servers.items() if isinstance(servers, dict) else ():
        where = f"{json_path('servers', name)}.envelope"
        envelope = server.get("envelope") if isinstance(server, dict) else None
        if envelope is None:
            continue
        if not isinstance(envelope, dict):
            reader.add_issue(where, texts.must_be(texts.OBJECT, json_quote(envelope)))
            server["envelope"] = None
            continue
        quota = reader.number(envelope, where, "cpu_quota", high=MAX_FACTS["cpus"], positive=True)
        period = reader.integer(envelope, where, "cpu_period_us", low=1, high=MAX_PERIOD_US)
        cpus = reader.get(envelope, where, "cpus", False, texts.CPUS, _are_cpus)
        memory = reader.object(envelope, where, "memory_bytes") or {}
        for key in list(memory):
            memory[key] = reader.integer(
                memory, f"{where}.memory_bytes", key, low=1, high=MAX_FACTS["memory_bytes"]
            )
        valid = {"cpu_quota": quota, "cpu_period_us": period, "cpus": cpus, "memory_bytes": memory}
        envelope.update({key: value for key, value in valid.items() if key in envelope})


def _are_cpus(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(
            isinstance(cpu, int) and not isinstance(cpu, bool) and 0 <= cpu < MAX_FACTS["cpus"]
            for cpu in value
        )
        and len(set(value)) == len(value)
    )


# -- designed experiments ------------------------------------------------------------------------------------


def _check_factors(manifest: dict[str, Any], reader: ManifestReader) -> None:
    """``factors``: titles, units, branches and the two levels of each."""
    factors = reader.object(manifest, "", "factors")
    if factors is None:
        manifest.pop("factors", None)
        return
    if len(factors) > MAX_FACTORS:
        reader.add_issue("factors", texts.too_many(len(factors), MAX_FACTORS))
    for name in list(factors)[MAX_FACTORS:]:
        del factors[name]
    for name, factor in list(factors.items()):
        where = json_path("factors", name)
        if not is_safe_name(name):
            reader.add_issue("factors", texts.unsafe_key(json_quote(name)))
        elif not isinstance(factor, dict):
            reader.add_issue(where, texts.must_be(texts.OBJECT, json_quote(factor)))
        else:
            levels = reader.get(factor, where, "levels", True, texts.LEVELS, _are_levels)
            for key in ("title", "unit"):
                factor[key] = reader.text(factor, where, key)
            factor["branch"] = reader.text(factor, where, "branch", required=True, choices=BRANCHES)
            if levels is not None:
                continue
        del factors[name]


def _check_factor_runs(manifest: dict[str, Any], reader: ManifestReader) -> None:
    """``levels``, ``virtual_server``, ``block`` and the numbers of the runs of a designed experiment."""
    factors = manifest.get("factors") or {}
    for server, run_name, run in _run_entries(manifest):
        where = json_path(json_path("runs", server), run_name)
        levels = reader.object(run, where, "levels")
        if levels is None:
            run.pop("levels", None)
            continue
        for name, level in list(levels.items()):
            path = json_path(f"{where}.levels", name)
            if name not in factors:
                reader.add_issue(path, texts.NO_FACTOR)
            elif sign_of(level, factors[name]["levels"]) is None:
                choices = tuple(map(json_quote, factors[name]["levels"]))
                reader.add_issue(path, texts.must_be(texts.one_of(choices), json_quote(level)))
            else:
                continue
            del levels[name]
        run["virtual_server"] = _measured_server(manifest, run, where, reader)
        run["block"] = reader.get(run, where, "block", False, texts.BLOCK, _is_block)
        for key in ("replicate", "cell", "order"):
            run[key] = reader.integer(run, where, key, low=0, high=MAX_NUMBER)


def _run_entries(manifest: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Server, name and object of each planned run of study.json."""
    servers = manifest.get("runs")
    for server, runs in servers.items() if isinstance(servers, dict) else ():
        for name, run in runs.items() if isinstance(runs, dict) else ():
            if isinstance(run, dict):
                yield server, name, run


def _measured_server(
    manifest: dict[str, Any], run: dict[str, Any], where: str, reader: ManifestReader
) -> str | None:
    """The virtual server that a run measures: ``virtual_server``, else the only one with a load."""
    name = reader.safe_name(run, where, "virtual_server")
    loads = run.get("load")
    if run.get("virtual_server") is None:
        if isinstance(loads, dict) and len(loads) == 1 and is_safe_name(next(iter(loads))):
            return next(iter(loads))
        reader.add_issue(json_path(where, "virtual_server"), texts.IS_MISSING)
    elif name is not None and not _has_key(manifest.get("virtual_servers"), name):
        reader.add_issue(json_path(where, "virtual_server"), texts.no_virtual_server(name))
        return None
    return name


def _has_key(value: Any, key: str) -> bool:
    return isinstance(value, dict) and key in value


def _is_level(value: Any) -> bool:
    is_text = isinstance(value, str) and 0 < len(value) <= MAX_LEVEL_CHARACTERS
    return is_text or isinstance(value, int | float)


def _are_levels(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(map(_is_level, value))
        and not _is_same(*value)
    )


def _is_same(a: Any, b: Any) -> bool:
    """Whether two levels are one JSON value: 1 is 1.0, but not true."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _is_block(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= MAX_LEVEL_CHARACTERS
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER


def sign_of(level: Any, levels: Any) -> int | None:
    """−1 for the low level, +1 for the high one, None for any other value."""
    for sign, each in zip((-1, 1), levels, strict=True):
        if _is_same(level, each):
            return sign
    return None


def read_factors(manifest: dict[str, Any]) -> dict[str, Factor]:
    """The factors of a checked study.json by name, in its order."""
    return {
        name: Factor(
            name,
            entry["title"] or name.replace("_", " "),
            entry["unit"],
            entry["branch"],
            tuple(entry["levels"]),
        )
        for name, entry in (manifest.get("factors") or {}).items()
    }


def read_factor_runs(manifest: dict[str, Any]) -> list[FactorRun]:
    """The planned runs of the designed experiments of a checked study.json, in its order."""
    factors = manifest.get("factors") or {}
    runs = []
    for server, name, run in _run_entries(manifest):
        if not run.get("levels") or not run["virtual_server"]:
            continue
        levels = run["levels"]
        signs = {
            factor: sign_of(levels[factor], factors[factor]["levels"])
            for factor in factors
            if factor in levels
        }
        numbers = (run["block"], run["replicate"], run["cell"], run["order"])
        runs.append(FactorRun(server, name, run["virtual_server"], signs, *numbers))
    return runs
