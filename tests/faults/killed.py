"""Processes killed at any moment: the same tables after the same command again, and nothing stays behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from fault_case import HANG, LEFTOVER, LOST, SAME, SILENT, TRACEBACK, Case, Done, Outcome
from fault_judge import crash_of, leftovers
from fault_study import Copy
from fault_worker import run_command, unlimited_memory

OPERATIONS = (1, 5, 9, 12, 15, 20, 30, 40)
"""Numbers of the file operation before which an ingest is killed."""
LIMIT_S = 400.0
KILLED_BEFORE = """
import os, signal, sys
count = 0
def hook(event, arguments):
    global count
    is_change = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod") or (
        event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    if is_change and PROCESSED in str(arguments[0]):
        count += 1
        if count == OPERATION:
            os.kill(os.getpid(), signal.SIGKILL)
from pipeline.cli import main
sys.argv = ["queuevisor", *ARGUMENTS]
sys.addaudithook(hook)
main()
"""
"""A program that kills itself before its nth change of a file in the folder of tables."""


def cases() -> Iterator[Case]:
    """Faults of processes."""

    def case(name: str, program: Callable[[Copy], Outcome], **options: object) -> Case:
        full = f"killed/{name}"
        return Case(
            full,
            "E",
            lambda copy: None,
            program=partial(program, name=full),
            limit_s=LIMIT_S,
            **options,
        )

    for number in OPERATIONS:
        yield case(
            f"ingest before file operation {number}", partial(_killed_ingest, operation=number)
        )
    for number in OPERATIONS:
        yield case(
            f"ingest over an older state before file operation {number}",
            partial(_killed_ingest, operation=number), ingested=True,
        )  # fmt: skip
    yield case("one of two workers", _killed_worker, others=True)
    yield case("two ingests at once", _two_ingests)
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        number = getattr(signal, name)
        yield case(f"ingest by {name}", partial(_ended_ingest, number=number), others=True)
        yield case(f"report by {name}", partial(_ended_report, number=number), ingested=True)
    yield case("report with TMPDIR of 104 characters", _long_folder, ingested=True)


def start_program(copy: Copy, arguments: tuple[str, ...]) -> subprocess.Popen:
    """``queuevisor`` as a process of its own."""
    return _start(copy, [sys.executable, "-m", "pipeline.cli", *_folders(copy), *arguments])


def _folders(copy: Copy) -> tuple[str, ...]:
    return "--raw", str(copy.raw), "--processed", str(copy.processed)


def _start(copy: Copy, command: list[str], temporary: Path | None = None) -> subprocess.Popen:
    environment = {
        **os.environ,
        "TMPDIR": str(temporary or copy.temporary),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with unlimited_memory():
        return subprocess.Popen(
            command, env=environment, cwd=copy.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip


def finish(process: subprocess.Popen, name: str = "ingest") -> Done:
    """Wait for a process; it is killed where it does not end."""
    try:
        stdout, stderr = process.communicate(timeout=LIMIT_S / 2)
        return Done((name,), process.returncode, stdout, stderr)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Done((name,), None, "", "")


def tables(processed: Path) -> dict[str, bytes]:
    """Every stored file but staging ones, which ``leftovers`` finds, and those of one file system's status."""
    return {
        str(path.relative_to(processed)): path.read_bytes()
        for path in sorted(processed.rglob("*"))
        if path.is_file() and ".staging" not in path.parts and path.name != "file_status.json"
    }


def _undisturbed(copy: Copy) -> dict[str, bytes]:
    """The tables of an ingest that nothing disturbs."""
    folder = copy.folder / "undisturbed"
    (folder / "tmp").mkdir(parents=True)
    (folder / "processed").mkdir()
    (folder / "raw").symlink_to(copy.raw)
    done = run_command(folder, ("ingest",))
    if done.code != 0:
        raise RuntimeError(done.stderr)
    return tables(folder / "processed")


def _compare(copy: Copy, name: str, done: Done, detail: str = "") -> Outcome:
    """The outcome of an ingest after a disturbed one: the tables against those of an undisturbed one."""
    if done.code is None:
        return Outcome(name, "E", HANG, detail)
    if problem := crash_of(done):
        return Outcome(name, "E", TRACEBACK, problem)
    if done.code != 0:
        return Outcome(name, "E", LOST, f"exit code {done.code}; {done.stderr[-200:]}")
    expected, stored = _undisturbed(copy), tables(copy.processed)
    if wrong := [path for path in expected if stored.get(path) != expected[path]]:
        return Outcome(name, "E", SILENT, f"{len(wrong)} files differ, e.g. {wrong[0]}")
    if remains := leftovers(copy):
        return Outcome(name, "E", LEFTOVER, ", ".join(remains[:3]))
    return Outcome(name, "E", SAME, detail)


def _killed_ingest(copy: Copy, name: str, operation: int) -> Outcome:
    if (copy.processed / ".manifest").exists():  # an older state: the run changes
        copy.add_request()
    arguments = (*_folders(copy), "ingest")
    head = f"PROCESSED, OPERATION, ARGUMENTS = {str(copy.processed)!r}, {operation}, {list(arguments)!r}\n"
    first = finish(_start(copy, [sys.executable, "-c", head + KILLED_BEFORE]))
    if first.code not in (0, -signal.SIGKILL):
        return Outcome(name, "E", TRACEBACK, f"exit code {first.code}: {first.stderr[-300:]}")
    readable = run_command(copy.folder, ("runs",))
    if problem := crash_of(readable):
        return Outcome(name, "E", TRACEBACK, problem)
    hit = "killed" if first.code else "not killed: fewer operations"
    return _compare(copy, name, run_command(copy.folder, ("ingest",)), hit)


def children(pid: int) -> list[int]:
    """Processes that a process has started, and theirs."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(path.parent.name)
                pids += [child, *children(child)]
    return pids


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _wait(
    condition: Callable[[], object], process: subprocess.Popen, limit_s: float = LIMIT_S / 2
) -> object:
    """The first true value of a condition; None if the process ends before."""
    end = time.monotonic() + limit_s
    while process.poll() is None and time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    return None


def _killed_worker(copy: Copy, name: str) -> Outcome:
    import shutil

    shutil.rmtree(copy.processed)
    copy.processed.mkdir()
    process = start_program(copy, ("ingest", "--workers", "2"))
    worker = _wait(
        lambda: [
            pid for pid in children(process.pid)
            if "spawn_main" in command_line(pid) and (copy.processed / ".staging").exists()
        ],
        process,
    )  # fmt: skip
    if worker:
        os.kill(worker[0], signal.SIGKILL)
    done = finish(process)
    if problem := crash_of(done):
        return Outcome(name, "E", TRACEBACK, problem)
    # a worker that was killed once is replaced, and its run is ingested: 0
    if done.code not in (0, 1):
        return Outcome(name, "E", SILENT, f"exit code {done.code}")
    if failed := done.stderr.count(": failed"):
        detail = f"{failed} of 3 runs failed"
        if failed > 2:
            return Outcome(name, "E", LOST, f"{detail}: {done.stderr[-300:]}")
    return _compare(copy, name, run_command(copy.folder, ("ingest",)), detail if failed else "")


def _two_ingests(copy: Copy, name: str) -> Outcome:
    processes = [start_program(copy, ("ingest",)) for _ in range(2)]
    done = [finish(process) for process in processes]
    for each in done:
        if each.code != 0:
            return Outcome(name, "E", LOST, f"exit code {each.code}: {each.stderr[-300:]}")
    return _compare(copy, name, run_command(copy.folder, ("ingest",)))


def _ended_ingest(copy: Copy, name: str, number: int) -> Outcome:
    import shutil

    shutil.rmtree(copy.processed)
    copy.processed.mkdir()
    process = start_program(copy, ("ingest", "--workers", "2"))
    _wait((copy.processed / ".staging").exists, process)
    time.sleep(0.2)
    before = children(process.pid)
    process.send_signal(number)
    done = finish(process)
    if problem := _ended_badly(done, number, before):
        return problem_of(name, problem)
    return _compare(copy, name, run_command(copy.folder, ("ingest",)))


def _ended_report(copy: Copy, name: str, number: int) -> Outcome:
    process = start_program(copy, ("report", copy.run_id, "-o", str(copy.folder / "pages")))
    kernel = _wait(
        lambda: [pid for pid in children(process.pid) if "ipykernel" in command_line(pid)], process
    )
    if not kernel:
        done = finish(process, "report")
        return Outcome(
            name, "E", LOST, f"no kernel was started: exit {done.code}, {done.stderr[-300:]}"
        )
    time.sleep(1.0)
    before = children(process.pid)
    process.send_signal(number)
    done = finish(process, "report")
    if problem := _ended_badly(done, number, before):
        return problem_of(name, problem)
    if remains := leftovers(copy):
        return Outcome(name, "E", LEFTOVER, ", ".join(remains[:3]))
    pages = [p.name for p in (copy.folder / "pages").rglob("*") if p.name.startswith(".")]
    return Outcome(name, "E", LEFTOVER if pages else SAME, ", ".join(pages[:3]))


def _long_folder(copy: Copy, name: str) -> Outcome:
    """The sockets of kernels have names of at most 107 characters."""
    folder = copy.folder / "t"
    folder = folder / ("x" * max(8, 103 - len(str(folder))))
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "pipeline.cli", *_folders(copy), "report", copy.run_id]
    done = finish(_start(copy, [*command, "-o", str(copy.folder / "pages")], folder), "report")
    if done.code is None:
        return Outcome(name, "E", HANG, "report does not end")
    if problem := crash_of(done):
        return Outcome(name, "E", TRACEBACK, problem)
    remains = [path.name for path in folder.iterdir()]
    return Outcome(name, "E", LEFTOVER if remains else SAME, ", ".join(remains[:3]))


def problem_of(name: str, problem: str) -> Outcome:
    kind, _, text = problem.partition(": ")
    return Outcome(name, "E", kind, text)


def _ended_badly(done: Done, number: int, before: list[int]) -> str | None:
    """Why a command that got a signal did not end in good order."""
    if done.code is None:
        return f"{HANG}: no end after signal {number}"
    if done.code not in (0, 128 + number):
        return f"{TRACEBACK}: exit code {done.code} after signal {number}: {done.stderr[-200:]}"
    if problem := crash_of(Done(done.arguments, 0, "", done.stderr)):
        return f"{TRACEBACK}: {problem}"
    end = time.monotonic() + 5
    while alive := [pid for pid in before if Path(f"/proc/{pid}").exists() and command_line(pid)]:
        if time.monotonic() > end:
            for pid in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return f"{LEFTOVER}: {len(alive)} processes: {command_line(alive[0])[:80]}"
        time.sleep(0.1)
    return None
