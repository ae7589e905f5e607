"""The folder of a run: names of its files, and writing it whole."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.assemble import texts
from pipeline.assemble.plan import Plan
from pipeline.assemble.sources import AssembleError, Source
from pipeline.raw import STUDY_FORMAT, is_safe_name, read_study, sha256

RECORDED_BY = "queuevisor-import 1"
PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE = 0o600, 0o700
SUFFIXES = {b"\x1f\x8b": ".gz", b"\x28\xb5": ".zst"}


def run_names(out: Path) -> tuple[str, str, str]:
    """Study, server and run of a folder ``…/STUDY/SERVER/RUN``.

    Raises
    ------
    AssembleError
        If a name is missing or unsafe, or the folder exists.
    """
    names = out.parts[-3:]
    if len(names) < 3 or not all(map(is_safe_name, names)):
        raise AssembleError(texts.bad_out(out))
    if os.path.lexists(out):
        raise AssembleError(texts.exists(out))
    return names[0], names[1], names[2]


def file_names(sources: list[Source], folder: str) -> dict[str, Source]:
    """Paths below the run's folder: ``host/top.log``, or segments where there are several files of a kind."""
    of_kind: dict[str, list[Source]] = {}
    for source in sources:
        of_kind.setdefault(source.kind, []).append(source)
    names = {}
    for kind, segments in of_kind.items():
        for number, source in enumerate(segments, 1):
            stem = kind if len(segments) == 1 else f"{kind}.{number:05d}"
            names[f"{folder}/{stem}.log{_suffix(source.path)}"] = source
    return names


def _suffix(path: Path) -> str:
    with path.open("rb") as file:
        return SUFFIXES.get(file.read(2), "")


def write_plan(plan: Plan, out: Path) -> list[Path]:
    """Write a run, and study.json where there is none.

    Parameters
    ----------
    plan : Plan
    out : Path
        The run's folder ``…/STUDY/SERVER/RUN``, which must not exist. Its logs are copies; it appears under its name
        when it is complete.

    Returns
    -------
    list of Path
        The manifests that were written.

    Raises
    ------
    AssembleError
        If the study does not fit, or a file cannot be written.
    """
    run_names(out)
    study_path = out.parent.parent / "study.json"
    study = study_manifest(plan, out.parent.parent)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
        try:
            for name, path in plan.files.items():
                target = part / name
                target.parent.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
                shutil.copyfile(path, target)
                target.chmod(PRIVATE_FILE_MODE)
            checksums = {name: sha256(part / name) for name in sorted(plan.files)}
            _write_json(part / "run.json", {**plan.manifest, "sha256": checksums})
            run_names(out)
            if study is not None:  # first: a run without it could not be written again
                _write_json(study_path, study)
            part.rename(out)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise AssembleError(texts.not_written(out, error)) from None
    return [out / "run.json", *([study_path] if study is not None else [])]


def study_manifest(plan: Plan, folder: Path) -> dict[str, Any] | None:
    """The study.json to write; None where the one that is there has the run's server and virtual servers.

    Raises
    ------
    AssembleError
        If a study.json that a person wrote does not have them.
    """
    servers = {plan.server: {}}
    guests: Mapping[str, Any] = {name: {} for name in plan.manifest["virtual_servers"]}
    if not (folder / "study.json").exists():
        return {
            "format": STUDY_FORMAT, "study": plan.study, "title": plan.study, "servers": servers,
            "virtual_servers": dict(guests), "recorded_by": RECORDED_BY,
        }  # fmt: skip
    study = read_study(folder)
    if study.manifest_issues:
        raise AssembleError(texts.in_folder(folder, study.manifest_issues[0]))
    lacking = [
        (key, name)
        for key, names in (("servers", servers), ("virtual_servers", guests))
        for name in names
        if name not in study.section(key)
    ]
    if not lacking:
        return None
    if study.manifest.get("recorded_by") != RECORDED_BY:
        raise AssembleError(texts.study_lacks(folder / "study.json", lacking))
    manifest = dict(study.manifest)
    for key, name in lacking:
        manifest[key] = {**study.section(key), name: {}}
    return manifest


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    files.write_text(path, text, PRIVATE_FILE_MODE)
