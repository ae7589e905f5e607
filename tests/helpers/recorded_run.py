"""A recorded run of the case study, copied so that tests can damage it, and the command line on the copy."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

STUDY, SERVER, RUN = "kvm-case-study", "first", "web-005-a"


@dataclass
class RecordedRun:
    """A raw folder with one study of one run, and a folder for its tables."""

    raw: Path
    processed: Path

    @property
    def run(self) -> Path:
        """The folder of the run."""
        return self.raw / STUDY / SERVER / RUN

    def change(self, file: str, **values) -> None:
        """Put ``values`` into a manifest; a key may be a path with dots as ``__``."""
        path = self.run / file
        manifest = json.loads(path.read_text())
        for name, value in values.items():
            *parents, key = name.split("__")
            parent = manifest
            for step in parents:
                parent = parent[step]
            parent[key] = value
        path.write_text(json.dumps(manifest))

    def cut(self, file: str, share: float = 0.6) -> None:
        """Cut off the end of a file."""
        content = (self.run / file).read_bytes()
        (self.run / file).write_bytes(content[: int(share * len(content))])

    def queuevisor(self, *words: object) -> subprocess.CompletedProcess:
        """Run the command line on the two folders."""
        folders = ["--raw", str(self.raw), "--processed", str(self.processed)]
        return subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *folders, *map(str, words)],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip


def copy_run(root: Path, folder: Path) -> RecordedRun:
    """Copy the run of ``root`` into ``folder``; its study.json names no other run and no other server.

    Without checksums in run.json: what a test changes is to be noticed without them, too.
    """
    raw = folder / "raw"
    shutil.copytree(root / "data/raw" / STUDY / SERVER / RUN, raw / STUDY / SERVER / RUN)
    study = json.loads((root / "data/raw" / STUDY / "study.json").read_text())
    study |= {
        "runs": {SERVER: {RUN: study["runs"][SERVER][RUN]}}, "case_study": {"web": RUN},
        "held_out": [], "servers": {SERVER: study["servers"][SERVER]},
    }  # fmt: skip
    (raw / STUDY / "study.json").write_text(json.dumps(study))
    copied = RecordedRun(raw, folder / "processed")
    manifest = json.loads((copied.run / "run.json").read_text())
    del manifest["sha256"]
    (copied.run / "run.json").write_text(json.dumps(manifest))
    return copied
