"""A small study of its own for the command line: one recorded run, copied so that it can be damaged."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

STUDY, SERVER, RUN = "kvm-case-study", "first", "web-005-a"


@dataclass
class Place:
    """A raw and a processed folder, and the command on them."""

    raw: Path
    processed: Path

    @property
    def run(self) -> Path:
        return self.raw / STUDY / SERVER / RUN

    def queuevisor(self, *words: object) -> subprocess.CompletedProcess:
        folders = ["--raw", str(self.raw), "--processed", str(self.processed)]
        return subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *folders, *map(str, words)],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip


@pytest.fixture(scope="session")
def one_run(root, tmp_path_factory) -> Place:
    """One run, ingested once for all tests that do not change it."""
    return copied(root, tmp_path_factory.mktemp("one_run"))


@pytest.fixture
def own_run(root, tmp_path) -> Place:
    """One run that the test may damage."""
    return copied(root, tmp_path)


def copied(root: Path, folder: Path) -> Place:
    raw = folder / "raw"
    shutil.copytree(root / "data/raw" / STUDY / SERVER / RUN, raw / STUDY / SERVER / RUN)
    about = json.loads((root / "data/raw" / STUDY / "study.json").read_text())
    about["runs"] = {SERVER: {RUN: about["runs"][SERVER][RUN]}}
    about["case_study"] = {"web": RUN}
    about["held_out"] = []
    (raw / STUDY / "study.json").write_text(json.dumps(about))
    return Place(raw, folder / "processed")
