"""Files that are no regular files: pipes, folders, devices, links that lead nowhere, sockets; and giant ones."""

import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import zstandard
from fault_case import Case
from fault_study import Copy

NAMES = (
    "run.json",
    "host/facts.json",
    "study.json",
    "host/top.log",
    "web/tasks.log",
    "client/httperf.log",
)
STORED = ("manifest", "top_processes")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _zero_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("does-not-exist"))


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(path.parent)  # the address of a socket is short
        try:
            server.bind(path.name)
        finally:
            os.chdir(before)


TYPES: dict[str, Callable[[Path], None]] = {
    "FIFO": _fifo,
    "folder": _folder,
    "link to /dev/zero": _zero_device,
    "dangling link": _dangling,
    "link to itself": _loop,
    "socket": _socket,
}


def cases() -> Iterator[Case]:
    """Faults of files' types and sizes."""
    for name in NAMES:
        for kind, make in TYPES.items():
            damage = partial(_replace, name=name, make=make)
            group = "B" if kind in ("FIFO", "link to /dev/zero") else "C"
            others = name.endswith(".json") and kind in ("FIFO", "link to /dev/zero", "folder")
            yield Case(f"file type/{name} is a {kind}", group, damage, name, others=others)
    for name in STORED:
        for kind, make in TYPES.items():
            damage = partial(_replace_stored, name=name, make=make)
            group = "B" if kind in ("FIFO", "link to /dev/zero") else "C"
            yield Case(
                f"file type/stored {name} is a {kind}",
                group,
                damage,
                name,
                ingested=True,
                must_stay=kind != "folder",  # a folder is not removed
                others=kind == "FIFO",
            )
    for log in ("host/top.log", "host/tasks.log"):
        yield Case(f"giant/{log} expands to 20 GB", "B", partial(_bomb, log=log), log, others=True)
    for log in ("host/top.log", "host/tasks.log", "web/access.log", "client/httperf.log"):
        yield Case(f"giant/{log} has a line of 64 MB", "B", partial(_long_line, log=log), log)
    yield Case("giant/1,000 segments in a role's folder", "B", _many_files, "web")


def _replace(copy: Copy, name: str, make: Callable[[Path], None]) -> None:
    path = copy.manifest(name) if name.endswith(".json") else copy.log(name)
    path.unlink()
    make(path)


def _replace_stored(copy: Copy, name: str, make: Callable[[Path], None]) -> None:
    path = copy.stored_manifest() if name == "manifest" else copy.stored(name)
    path.unlink()
    make(path)


def _bomb(copy: Copy, log: str) -> None:
    """A frame of 20 GB of one repeated line; some hundred kilobytes on disk."""
    path = copy.log(log)
    block = b"x" * (1 << 20)
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    with path.open("wb") as file:
        first = compressor.compress(block) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        file.write(first)
        for _ in range(64):
            file.write(compressor.compress(block * 16))
        file.write(compressor.flush())
    one = path.read_bytes()
    path.write_bytes(one * 20)  # frames one after the other


def _long_line(copy: Copy, log: str) -> None:
    copy.edit_log(
        log, lambda text: text[: len(text) // 2] + b"x" * (64 << 20) + text[len(text) // 2 :]
    )


def _many_files(copy: Copy) -> None:
    folder = copy.run / "web"
    for number in range(1_000):
        (folder / f"top.{number + 100_000:06d}.log").touch()
