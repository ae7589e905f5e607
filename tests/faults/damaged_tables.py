"""Damaged tables of an ingested run: a reader ingests again, or says so."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from typing import Any

from fault_case import Case
from fault_study import RECORDED, Copy, rng

TABLES = ("top_processes", "tasks", "requests", "runs", "block")
FLIPS = 3


def cases() -> Iterator[Case]:
    """Faults of stored tables and their manifests."""

    def case(name: str, damage: Any, file: str, *, others: bool = False) -> Case:
        return Case(
            f"tables/{name}", "A", damage, file, ingested=True, others=others, must_stay=True
        )

    for table in TABLES:
        for number in range(FLIPS):
            damage = partial(_flip, table=table, number=number)
            yield case(f"bit flipped/{table}/{number}", damage, table)
        for kind, change in {
            "zeros": lambda data: bytes(len(data)),
            "empty": lambda data: b"",
            "cut": lambda data: data[: len(data) // 2],
            "zeros in its middle": lambda data: (
                data[: len(data) // 2]
                + bytes(len(data) // 4)
                + data[len(data) // 2 + len(data) // 4 :]
            ),
            "wrong footer": lambda data: data[:-8] + b"\xff\xff\xff\x7fPAR1",
        }.items():
            yield case(f"{kind}/{table}", partial(_change, table=table, change=change), table)
        yield case(f"removed/{table}", partial(_remove, table=table), table)
    for table in ("top_processes", "tasks", "block"):
        yield case(
            f"of another run/{table}", partial(_from_other_run, table=table), table, others=True
        )
        yield case(f"of another table/{table}", partial(_from_other_table, table=table), table)
        yield case(f"rows taken away/{table}", partial(_fewer_rows, table=table), table)
        yield case(f"not in the manifest/{table}", partial(_unlist, table=table), table)
    yield case("all files of another run", _all_from_other_run, "", others=True)
    for kind, content in MANIFESTS.items():
        yield case(f"manifest/{kind}", partial(_write_manifest, content=content), "manifest")
    for key in ("format", "key", "tables", "logs", "problems", "warnings"):
        yield case(
            f"manifest/without {key}", partial(_edit_manifest, key=key, value=None), "manifest"
        )
        for value in (3, {"a": 3}):
            damage = partial(_edit_manifest, key=key, value=value)
            yield case(f"manifest/{key}={json.dumps(value)}", damage, "manifest", others=value == 3)


MANIFESTS = {
    "empty": b"",
    "zeros": bytes(2000),
    "nested too deep": b'{"format": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a list": b"[]",
    "not UTF-8": b'{"\xff": 1}',
    "64 MB of blanks": b" " * (64 << 20),
}


def _change(copy: Copy, table: str, change: Any) -> None:
    path = copy.stored(table)
    path.write_bytes(change(path.read_bytes()))


def _flip(copy: Copy, table: str, number: int) -> None:
    random = rng("table", table, number)

    def flip(data: bytes) -> bytes:
        at = int(random.integers(4, len(data) - 8))
        return data[:at] + bytes([data[at] ^ 1 << int(random.integers(8))]) + data[at + 1 :]

    _change(copy, table, flip)


def _remove(copy: Copy, table: str) -> None:
    copy.stored(table).unlink()


def _from_other_run(copy: Copy, table: str) -> None:
    """The other run's table under the run's name; the manifest says its size."""
    shutil.copy(copy.stored(table, RECORDED), copy.stored(table))
    _fit_manifest(copy, table)


def _from_other_table(copy: Copy, table: str) -> None:
    shutil.copy(copy.stored("requests"), copy.stored(table))
    _fit_manifest(copy, table)


def _all_from_other_run(copy: Copy) -> None:
    for table in TABLES:
        _from_other_run(copy, table)


def _fewer_rows(copy: Copy, table: str) -> None:
    import polars as pl

    path = copy.stored(table)
    frame = pl.read_parquet(path, hive_partitioning=False)
    frame.head(frame.height // 2).write_parquet(path)
    _fit_manifest(copy, table)


def _fit_manifest(copy: Copy, table: str) -> None:
    """Write the size of the damaged file into the manifest, as it is checked first."""
    path = copy.stored_manifest()
    manifest = json.loads(path.read_text())
    manifest["tables"][table]["bytes"] = copy.stored(table).stat().st_size
    path.write_text(json.dumps(manifest))


def _unlist(copy: Copy, table: str) -> None:
    path = copy.stored_manifest()
    manifest = json.loads(path.read_text())
    del manifest["tables"][table]
    path.write_text(json.dumps(manifest))


def _write_manifest(copy: Copy, content: bytes) -> None:
    copy.stored_manifest().write_bytes(content)


def _edit_manifest(copy: Copy, key: str, value: Any) -> None:
    path = copy.stored_manifest()
    manifest = json.loads(path.read_text())
    if value is None:
        del manifest[key]
    else:
        manifest[key] = value
    path.write_text(json.dumps(manifest))
