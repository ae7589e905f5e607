"""Damaged facts.json, run.json and study.json: values out of range, of other types, against the logs, no JSON."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from fault_case import Case
from fault_study import DB, RECORDED, WEB, Copy, renew_checksums

from pipeline.files import ROOT

INT64 = 2**63
SURROGATE = "\ud800"
"""A lone surrogate: valid in JSON's escapes, no text."""

FACTS = "host/facts.json"
VALUES: tuple[tuple[str, str, str, tuple[Any, ...]], ...] = (
    # run, manifest, path of the key, values
    (WEB, FACTS, "clock_ticks_per_s", (0, -100, 200, 1000, 1e400, 99.5, "100", None, [], True, 2**62)),
    (WEB, FACTS, "cpus", (0, -1, 1, 8, 2**62, 1.5, "4", [])),
    (WEB, FACTS, "page_bytes", (0, 4096.5, 2**62, "4096")),
    (WEB, FACTS, "memory_bytes", (0, 2**63, "x")),
    (WEB, FACTS, "interval_s", (0, -1, 1e-9, 1e9, "1")),
    (WEB, FACTS, "tools", ([], "top", 3, {"top": 4}, {"top": SURROGATE})),
    (WEB, FACTS, "time_zone", ("Mars/Phobos", "../../etc/passwd", 3, SURROGATE)),
    (WEB, FACTS, "boot_id", (3, "", SURROGATE, "00000000-1111-2222-3333-444444444444")),
    (WEB, FACTS, "block_devices", ([], "x", [3], [{}], [{"name": SURROGATE}], [{"name": "loop0", "slaves": 3}])),
    (WEB, FACTS, "format", ("queuevisor-facts/9", 1, None)),
    (WEB, FACTS, "delay_accounting", (False, "yes", 3)),
    (WEB, "run.json", "virtual_servers.web.workload.rate_per_s", (0, -5, 1e299, 200, 2, "20", None, 1e400)),
    (WEB, "run.json", "virtual_servers.web.workload.kind", ("closed", "half-open", 3, None)),
    (WEB, "run.json", "virtual_servers.web.workload.arrivals", ("even", "pareto", 3)),
    (WEB, "run.json", "virtual_servers.web.workload.request", ("transaction", "", 3, SURROGATE)),
    (WEB, "run.json", "virtual_servers.web.workload.log",
     ("web/top.log", "client/none.log", "../../../etc/passwd", "/etc/passwd", "", 3, SURROGATE, "web/access.log")),
    (DB, "run.json", "virtual_servers.db.workload.population", (0, -1, 1, 400, 10**7, 2**62, 2**70, 1.5, "4")),
    (DB, "run.json", "virtual_servers.db.workload.think_time_s", (-1, 10.0, 86_400, 1e299, "0", None)),
    (WEB, "run.json", "window.start_ns", (0, -1, 1.5, "x", 2**62, 2**70)),
    (WEB, "run.json", "window.end_ns", (0, INT64 - 1, INT64)),
    (WEB, "run.json", "window", (None, [], 3, {"start_ns": 0, "end_ns": INT64 - 1}, {"start_ns": 5, "end_ns": 5})),
    (WEB, "run.json", "before", ([], {"start_ns": 0, "end_ns": INT64 - 1})),
    (WEB, "run.json", "virtual_servers.web.workload.start_ns", (0, INT64 - 1, "x")),
    (WEB, "run.json", "virtual_servers.web.workload.end_ns", (INT64 - 1, None)),
    (WEB, "run.json", "roles.web.clock_offset_ns", (10**10, -(10**10), INT64 - 1, -INT64, 1.5, "0", None)),
    (WEB, "run.json", "roles.host.clock_offset_ns", (10**10, INT64 - 1)),
    (WEB, "run.json", "roles.web.clock_uncertainty_ns", (2**62, -1, 10**10, "x")),
    (WEB, "run.json", "roles.web.time_zone", ("Mars/Phobos", 3, SURROGATE)),
    (WEB, "run.json", "roles.web.hostname", (3, SURROGATE, "x" * 10**6)),
    (WEB, "run.json", "roles.web.boot_id", (3, SURROGATE, "")),
    (WEB, "run.json", "roles.web.tools", ([], 3, {"top": {"a": 1}}, {"top": SURROGATE})),
    (WEB, "run.json", "roles", (None, [], {}, {"host": {}}, {"host": 3}, {SURROGATE: {}}, {"../x": {}})),
    (WEB, "run.json", "virtual_servers", (None, [], {}, {"web": 3}, {SURROGATE: {}})),
    (WEB, "run.json", "virtual_servers.web.role", ("host", "db", "mars", 3, None, "../web", SURROGATE)),
    (WEB, "run.json", "virtual_servers.web.host_disk",
     ("../../etc/passwd", "loop1", "sda", "", 3, None, SURROGATE, "loop0/../loop1")),
    (WEB, "run.json", "virtual_servers.web.virtual_disk", ("../../etc/passwd", "vdb", "", 3, None, SURROGATE)),
    (WEB, "run.json", "virtual_servers.web.server_processes",
     ("", ".*", "(?=apache2)apache2", r"(a)\1", "apache2++", "(", "[", r"\N{DIGIT ONE}", "a{1000}{1000}{100}",
      "(?P<a>x)(?P<a>y)", "x" * 10**6, r"\p{Foo}", "(?<name>a)", 3, None, SURROGATE, "(a|aa)+$", "nginx")),
    (WEB, "run.json", "virtual_servers.web.qemu_process",
     ("", ".*", "(?!x)y", r"(q)\1", "guest=db[, ]", "\\pN{9}{9}{9}{9}{9}{9}", "(?i", SURROGATE, 3, None)),
    (WEB, "run.json", "virtual_servers.web.access_format", ("%h %l", "", "%{", SURROGATE, 3, "x" * 10**6)),
    (WEB, "run.json", "accelerator", ("tcg", "xen", 3, SURROGATE)),
    (WEB, "run.json", "format", ("queuevisor-run/9", 3, None)),
    (WEB, "run.json", "study", ("other", "../x", 3, None, SURROGATE)),
    (WEB, "run.json", "run", ("other", "../x", SURROGATE)),
    (WEB, "run.json", "times", ("inferred", "guessed", 3)),
    (WEB, "run.json", "commands", (3, [], {"web": 3}, {"web": [SURROGATE]}, {SURROGATE: []})),
    (WEB, "run.json", "notes", (3, [3], [SURROGATE], {"a": 1}, ["x" * 10**6])),
    (WEB, "run.json", "logs",
     (3, [], {"web/top.log": 3}, {"web/top.log": {"date": "2026-02-30"}}, {"web/top.log": {"devices": [3]}},
      {"web/top.log": {"interval_s": 1e-300}}, {"web/top.log": {"start_ns": INT64 - 1, "interval_s": 3600}},
      {"web/top.log": {"snapshot_times_ns": [INT64 - 1, 0]}}, {"../x/top.log": {}}, {"web/none.log": {}})),
    (WEB, "study.json", "servers", (None, [], 3, {"first": 3}, {SURROGATE: {}})),
    (WEB, "study.json", "virtual_servers", (None, [], {"web": 3}, {"web": {"title": SURROGATE}})),
    (WEB, "study.json", "title", (3, SURROGATE, "", "x" * 10**6)),
    (WEB, "study.json", "study", ("other", 3, None)),
    (WEB, "study.json", "runs", ([], 3, {"first": 3}, {"first": {"web": 3}})),
    (WEB, "study.json", "held_out", (3, [3], ["first/none"], {"a": 1})),
    (WEB, "study.json", "case_study", (3, [], {"web": 3}, {"web": "none"}, {SURROGATE: "web"})),
    (WEB, "study.json", "format", ("queuevisor-study/9", None)),
)  # fmt: skip

SHARED = (
    "virtual_servers.web.server_processes",
    "roles",
    "window",
    "virtual_servers",
    "format",
    "servers",
)
"""Keys whose faults must leave the other runs' numbers."""

NO_JSON = {
    "empty": b"",
    "cut": b'{"format": "queuevisor-run/1", "study": "simul',
    "NUL bytes": bytes(4096),
    "not UTF-8": b'{"format": "\xff\xfe"}',
    "UTF-16": '{"format": "x"}'.encode("utf-16"),
    "a list": b"[]",
    "a number": b"3",
    "NaN": b'{"format": NaN}',
    "nested too deep": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a number of 10,000 digits": b'{"format": ' + b"9" * 10_000 + b"}",
    "a key twice": b'{"format": 1, "format": 2}',
    "64 MB of blanks": b" " * (64 << 20),
}


def cases() -> Iterator[Case]:
    """Faults of the manifests of a run and a study."""
    for run_id, name, key, values in VALUES:
        for number, value in enumerate(values):
            shown = json.dumps(value)
            shown = shown if len(shown) <= 40 else f"{shown[:37]}..."
            case = f"{name}/{key}={shown}"
            yield Case(
                case
                if sum(json.dumps(v)[:37] == json.dumps(value)[:37] for v in values) == 1
                else f"{case} ({number})",
                "A",
                partial(_set, name=name, key=key, value=value),
                name,
                run_id,
                others=number == 0 and key in SHARED,
                undetectable=WHY_NOT.get((key, shown)),
            )
    for name in ("run.json", FACTS, "study.json"):
        for kind, content in NO_JSON.items():
            yield Case(
                f"{name}/{kind}",
                "C",
                partial(_write, name=name, content=content),
                name,
                others=kind in ("empty", "nested too deep"),
            )
        yield Case(f"{name}/removed", "A", partial(_remove, name=name), name)
    yield Case("run.json/window of 1 ns", "A", partial(_window, begin=0.5, length_ns=1), "run.json")
    yield Case(
        "run.json/window a year later", "A", partial(_window, shift_s=365 * 86_400), "run.json"
    )
    yield Case("run.json/window a half too early", "A", partial(_window, shift_s=-12), "run.json")
    yield Case(
        "run.json/load's window 1 h later", "A", partial(_load_window, shift_s=3600), "run.json"
    )
    yield Case("run.json/1,000 virtual servers", "B", _virtual_servers, "run.json")
    yield Case("run.json/1,000 roles", "B", _roles, "run.json")
    yield Case("run.json/of another run", "A", _other_run_json, "run.json")
    yield Case("host/facts.json/of another machine", "A", _other_facts, "host/facts.json")


OPTIONAL = "the key is optional: what depends on it is null with the reason"
WHY_NOT = {
    (f"virtual_servers.{server}.{key}", "null"): OPTIONAL
    for server, key in (
        ("web", "host_disk"), ("web", "virtual_disk"), ("web", "server_processes"), ("web", "qemu_process"),
        ("db", "workload.think_time_s"), ("web", "workload.request"), ("web", "workload.log"),
    )
} | {
    ("virtual_servers.web.server_processes", '"(?<name>a)"'): "a valid pattern: the user may want those processes",
    ("clock_ticks_per_s", "null"): OPTIONAL,
}  # fmt: skip
"""Key and value → why no program could notice it."""


def _set(copy: Copy, name: str, key: str, value: Any) -> None:
    def change(manifest: dict[str, Any]) -> None:
        *parents, last = key.split(".")
        for parent in parents:
            manifest = manifest[parent]
        if value is None:
            manifest.pop(last, None)
        else:
            manifest[last] = value

    copy.edit_json(name, change)
    if name == FACTS:  # as it was recorded
        renew_checksums(copy.run)
    if value == float("inf"):  # a number too large for a float, as JSON allows it
        path = copy.manifest(name)
        path.write_text(path.read_text().replace("Infinity", "1e400"))


def _write(copy: Copy, name: str, content: bytes) -> None:
    copy.manifest(name).write_bytes(content)


def _remove(copy: Copy, name: str) -> None:
    copy.manifest(name).unlink()


def _window(
    copy: Copy, begin: float = 0.0, length_ns: int | None = None, shift_s: float = 0.0
) -> None:
    def change(manifest: dict[str, Any]) -> None:
        window = manifest["window"]
        start, end = window["start_ns"], window["end_ns"]
        first = round(start + begin * (end - start) + shift_s * 1e9)
        window["start_ns"] = first
        window["end_ns"] = first + (length_ns or end - start)

    copy.edit_json("run.json", change)


def _load_window(copy: Copy, shift_s: float) -> None:
    def change(manifest: dict[str, Any]) -> None:
        load = manifest["virtual_servers"]["web"]["workload"]
        load["start_ns"] += round(shift_s * 1e9)
        load["end_ns"] += round(shift_s * 1e9)

    copy.edit_json("run.json", change)


def _virtual_servers(copy: Copy) -> None:
    def change(manifest: dict[str, Any]) -> None:
        servers = manifest["virtual_servers"]
        servers |= {f"web{n}": servers["web"] for n in range(1000)}

    copy.edit_json("run.json", change)


def _roles(copy: Copy) -> None:
    def change(manifest: dict[str, Any]) -> None:
        roles = manifest["roles"]
        roles |= {f"web{n}": roles["web"] for n in range(1000)}

    copy.edit_json("run.json", change)


def _other_run_json(copy: Copy) -> None:
    text = (ROOT / "data/raw" / RECORDED / "run.json").read_text()
    manifest = json.loads(text) | dict(zip(("study", "server", "run"), WEB.split("/"), strict=True))
    (copy.run / "run.json").write_text(json.dumps(manifest))


def _other_facts(copy: Copy) -> None:
    (copy.run / "host/facts.json").write_bytes((copy.run / "web/facts.json").read_bytes())
