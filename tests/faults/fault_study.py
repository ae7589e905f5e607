"""The study that faults are tried on: three short runs, as a recorder leaves them, and copies of them to damage."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from pipeline.files import ROOT
from pipeline.synthetic.host import simulate_run
from pipeline.synthetic.plan import Background, Load, Monitoring, Plan, Server, VirtualServer
from pipeline.synthetic.study import FIRST_RUN_NS, study_manifest, write_run

STUDY = "simulated"
WEB, DB = f"{STUDY}/first/web", f"{STUDY}/second/db"
RECORDED = "kvm-case-study/second/web-008-even-2"
RUNS = (WEB, DB, RECORDED)
SEED = 7
CHECKSUMS = "sha256"
"""Key of run.json."""
IDLE_S, LOAD_S = 6.0, 24.0
SHARED = Background(0.01, 0.03, 0.5, 1.0, 0.7)
_MONITORING = Monitoring(disk_counter="exact", clock_offset_s=0.05)
PLANS = {
    WEB: Plan(
        {"web": VirtualServer("web", "open", cpu_s=0.006, cpu_after_reply_s=0.003, disk_operations=1.5,
                              requests_per_process=50, background=SHARED)},
        {"web": {"web": Load(rate_per_s=20)}},
        servers={"first": Server("first")}, seconds=LOAD_S, before_seconds=IDLE_S, monitoring=_MONITORING,
    ),
    DB: Plan(
        {"db": VirtualServer("db", "closed", cpu_s=0.03, disk_operations=3.0, disk_s=0.006, host_disk="loop1",
                             background=SHARED)},
        {"db": {"db": Load(threads=4, think_time_s=0.1)}},
        servers={"second": Server("second")}, seconds=LOAD_S, before_seconds=IDLE_S, monitoring=_MONITORING,
    ),
}  # fmt: skip
"""The run of each simulated server: a web server under an open load, a database under a closed one."""


def write_base(folder: Path, runs: tuple[str, ...] = RUNS) -> None:
    """Write the undamaged study below ``folder / "raw"``: logs of the host compressed, those of ``first/web`` plain."""
    raw = folder / "raw"
    for number, (run_id, plan) in enumerate(PLANS.items()):
        if run_id not in runs:
            continue
        _, server, run = run_id.split("/")
        history = simulate_run(plan, server, run, SEED)
        write_run(history, STUDY, raw / run_id, FIRST_RUN_NS + number * 600_000_000_000)
        for log in sorted((raw / run_id).glob("*/*.log")):
            if log.parent.name == "host" or run_id == DB:
                write_log(log.with_name(log.name + ".zst"), log.read_bytes())
                log.unlink()
        renew_checksums(raw / run_id)
    manifest = study_manifest([plan for run_id, plan in PLANS.items() if run_id in runs], STUDY)
    (raw / STUDY / "study.json").write_text(json.dumps(manifest, indent=1))
    if RECORDED in runs:
        shutil.copytree(ROOT / "data/raw" / RECORDED, raw / RECORDED)


def renew_checksums(run: Path) -> None:
    """Write the checksums that a recorder would have written for a run as it is now, if its run.json has any."""
    manifest = json.loads((run / "run.json").read_text())
    if CHECKSUMS not in manifest:
        return
    names = sorted([*run.glob("*/*.log*"), *run.glob("*/facts.json")])
    manifest[CHECKSUMS] = {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in names
    }
    (run / "run.json").write_text(json.dumps(manifest, indent=1))


def read_log(path: Path) -> bytes:
    """The text of a log, decompressed."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return gzip.decompress(data) if path.suffix == ".gz" else data


def write_log(path: Path, text: bytes) -> None:
    """Write a log's text, compressed as its suffix says."""
    if path.suffix == ".zst":
        text = zstandard.ZstdCompressor(level=6).compress(text)
    elif path.suffix == ".gz":
        text = gzip.compress(text, mtime=0)
    path.write_bytes(text)


@dataclass(frozen=True)
class Copy:
    """A copy of the study for one fault, with its tables and a folder of temporary files."""

    folder: Path
    run_id: str = WEB
    """The run that is damaged."""

    @property
    def raw(self) -> Path:
        return self.folder / "raw"

    @property
    def processed(self) -> Path:
        return self.folder / "processed"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def run(self) -> Path:
        """The damaged run's folder."""
        return self.raw / self.run_id

    def log(self, name: str) -> Path:
        """The file of a log: ``host/top.log`` → ``…/host/top.log.zst``."""
        return next(p for s in ("", ".zst", ".gz") if (p := self.run / (name + s)).exists())

    def edit_log(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Change the text of a log."""
        path = self.log(name)
        text = read_log(path)
        changed = change(text)
        if changed == text:
            raise ValueError(f"{name}: the fault changes nothing")
        write_log(path, changed)

    def add_request(self) -> None:
        """Let the run differ from what is ingested: its access log has one more line, and the checksum fits."""
        self.edit_log("web/access.log", lambda text: text + text.splitlines(keepends=True)[-1])
        renew_checksums(self.run)

    def edit_json(self, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change a manifest: ``run.json``, ``host/facts.json`` of the run, ``study.json`` of the study."""
        path = self.manifest(name)
        value = json.loads(path.read_text())
        changed = change(value)
        path.write_text(json.dumps(value if changed is None else changed, indent=1))

    def manifest(self, name: str) -> Path:
        """The file of a manifest."""
        return (self.run.parents[1] if name == "study.json" else self.run) / name

    def tables_of(self, run_id: str | None = None) -> Path:
        """Partition of a run below the folder of a table."""
        study, server, run = (run_id or self.run_id).split("/")
        return Path(f"study={study}", f"server={server}", f"run={run}")

    def stored(self, table: str, run_id: str | None = None) -> Path:
        """The Parquet file of a table of an ingested run."""
        return next((self.processed / table / self.tables_of(run_id)).glob("*.parquet"))

    def stored_manifest(self, run_id: str | None = None) -> Path:
        """The manifest of an ingested run."""
        return self.processed / ".manifest" / self.tables_of(run_id) / "manifest.json"


def make_copy(base: Path, folder: Path, run_id: str, *, others: bool, ingested: bool) -> Copy:
    """A copy of the study with one run, or with ``others`` all of them; the others are ingested.

    With ``ingested`` the run itself is, too.
    """
    copy = Copy(folder, run_id)
    copy.temporary.mkdir(parents=True)
    copy.processed.mkdir()
    for each in RUNS if others else (run_id,):
        shutil.copytree(base / "raw" / each, copy.raw / each)
        study = each.split("/")[0]
        if (base / "raw" / study / "study.json").exists():
            shutil.copy(base / "raw" / study / "study.json", copy.raw / study)
        if ingested or each != run_id:
            _copy_tables(base / "processed", copy, each)
    return copy


def _copy_tables(processed: Path, copy: Copy, run_id: str) -> None:
    for table in sorted(processed.iterdir()):
        source = table / copy.tables_of(run_id)
        if source.is_dir() and table.name != ".staging":
            shutil.copytree(source, copy.processed / table.name / copy.tables_of(run_id))


def rng(*names: object) -> np.random.Generator:
    """Random numbers that depend on the case alone."""
    return np.random.default_rng([SEED, *"/".join(map(str, names)).encode()])
