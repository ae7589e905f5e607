"""Damaged logs: cut, flipped bits, clocks that jump, snapshots that are missing, logs exchanged."""

import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from fault_case import Case
from fault_study import (
    CHECKSUMS,
    DB,
    RECORDED,
    WEB,
    Copy,
    read_log,
    renew_checksums,
    rng,
    write_log,
)

from pipeline.files import ROOT

LOGS = {
    WEB: ("host/top.log", "host/iotop.log", "host/block.log", "host/tasks.log", "web/top.log", "web/iotop.log",
          "web/block.log", "web/tasks.log", "web/access.log", "client/httperf.log"),
    DB: ("db/general.log", "client/sysbench.log", "db/tasks.log"),
    RECORDED: ("host/top.log", "host/tasks.log", "web/iotop.log", "web/block.log"),
}  # fmt: skip
SAMPLED = LOGS[WEB][:8]
SNAPSHOT = re.compile(rb"^#T (\d+) (\d+) (\d+) (\S+)", re.MULTILINE)
CUTS = (0.3, 0.8)
FLIPS = 2
SECOND = 10**9
NO_CHECKSUM = "a recording without checksums: the changed digit is as likely as the recorded one"


def cases() -> Iterator[Case]:
    """Faults of logs."""
    for run_id, logs in LOGS.items():
        for log in logs:
            yield from _cases_of_log(run_id, log)
    for log in SAMPLED:
        yield from _cases_of_snapshots(log)
    for log in ("host/tasks.log", "web/block.log"):
        change = partial(_drop_snapshots, begin=0.3, end=0.75)  # 40 s of 90
        damage = partial(_edit, log=log, change=change, is_recorded_so=True)
        yield Case(f"log/40 s of snapshots missing/{RECORDED}/{log}", "A", damage, log, RECORDED)
    pairs = {
        "host/top.log": "web/top.log", "host/block.log": "web/block.log", "host/tasks.log": "web/tasks.log",
        "host/iotop.log": "web/iotop.log", "web/top.log": "web/iotop.log", "web/access.log": "web/block.log",
        "client/httperf.log": "web/access.log",
    }  # fmt: skip
    for one, other in pairs.items():
        file = one.split("/")[1]
        yield Case(f"log/exchanged/{one}", "A", partial(_exchange, one=one, other=other), file)
    for log in ("host/tasks.log", "host/top.log", "host/block.log", "client/httperf.log"):
        yield Case(
            f"log/of another run/{log}", "A", partial(_from_other_run, log=log), log, others=True
        )
    yield Case("log/role's folder is a link to another run's", "A", _link_role, "web", others=True)


def _cases_of_log(run_id: str, log: str) -> Iterator[Case]:
    def case(kind: str, change: Callable[[bytes], bytes], number: object = "") -> Case:
        name = "/".join(filter(None, ("log", kind, run_id, log, str(number))))
        return Case(name, "A", partial(_edit, log=log, change=change), log, run_id)

    for share in CUTS:
        yield case("cut", partial(_cut, share=share), share)
    yield case("cut at a line", partial(_cut_at_line, share=0.6))
    yield case("emptied", lambda text: b"")
    yield case("without its middle", lambda text: text[: len(text) // 3] + text[len(text) // 2 :])
    yield case("zeros in its middle", _zeros)
    yield case("its middle repeated", lambda text: text[: len(text) // 2] + text[len(text) // 3 :])
    for number in range(FLIPS):
        yield Case(
            f"log/bit flipped in the text/{run_id}/{log}/{number}",
            "A",
            partial(_edit, log=log, change=partial(_flip, names=(run_id, log, number, "text"))),
            log,
            run_id,
        )
    if run_id != WEB or log.startswith("host/"):
        for number in range(FLIPS):
            yield Case(
                f"log/bit flipped in the compressed file/{run_id}/{log}/{number}",
                "A",
                partial(_flip_file, log=log, names=(run_id, log, number, "file")),
                log,
                run_id,
            )
        for share in (0.6,):
            yield Case(
                f"log/compressed file cut/{run_id}/{log}/{share}",
                "A",
                partial(_cut_file, log=log, share=share),
                log,
                run_id,
            )


def _cases_of_snapshots(log: str) -> Iterator[Case]:
    """Faults of a recorder or its machine: the log is as it was recorded, its checksum fits."""

    def case(kind: str, change: Callable[[bytes], bytes]) -> Case:
        damage = partial(_edit, log=log, change=change, is_recorded_so=True)
        return Case(f"log/{kind}/{log}", "A", damage, log)

    yield case("clock stepped 20 s forward", partial(_step_clock, by_ns=20 * SECOND))
    yield case("clock stepped 20 s back", partial(_step_clock, by_ns=-20 * SECOND))
    yield case("both clocks stepped", partial(_step_clock, by_ns=20 * SECOND, both=True))
    yield case("snapshots missing in the middle", partial(_drop_snapshots, begin=0.35, end=0.65))
    yield case("snapshots missing at the begin", partial(_drop_snapshots, begin=0, end=0.4))
    yield case("recording ends early", partial(_drop_snapshots, begin=0.6, end=1))
    yield case("the tool ends early, #END", partial(_end_early, share=0.6))
    yield case("another boot from the middle", _other_boot)


def _edit(
    copy: Copy, log: str, change: Callable[[bytes], bytes], is_recorded_so: bool = False
) -> None:
    copy.edit_log(log, change)
    if is_recorded_so:
        renew_checksums(copy.run)


def _cut(text: bytes, share: float) -> bytes:
    return text[: round(len(text) * share)]


def _cut_at_line(text: bytes, share: float) -> bytes:
    return text[: text.rindex(b"\n", 0, round(len(text) * share)) + 1]


def _zeros(text: bytes) -> bytes:
    begin = len(text) // 2
    size = min(4096, len(text) // 8)
    return text[:begin] + bytes(size) + text[begin + size :]


def _flip(text: bytes, names: tuple[object, ...]) -> bytes:
    random = rng(*names)
    at = int(random.integers(len(text)))
    return text[:at] + bytes([text[at] ^ 1 << int(random.integers(7))]) + text[at + 1 :]


def _flip_unsigned(copy: Copy, log: str, names: tuple[object, ...]) -> None:
    copy.edit_json(
        "run.json", lambda manifest: {k: v for k, v in manifest.items() if k != CHECKSUMS}
    )
    _edit(copy, log, partial(_flip, names=names))


def _flip_file(copy: Copy, log: str, names: tuple[object, ...]) -> None:
    path = copy.log(log)
    path.write_bytes(_flip(path.read_bytes(), names))


def _cut_file(copy: Copy, log: str, share: float) -> None:
    path = copy.log(log)
    path.write_bytes(_cut(path.read_bytes(), share))


def _snapshots(text: bytes) -> list[bytes]:
    """The text by snapshots: what stands before the first, then one each; the last has the sentinel of the end."""
    starts = [match.start() for match in SNAPSHOT.finditer(text)]
    return [text[begin:end] for begin, end in zip([0, *starts], [*starts, len(text)], strict=True)]


def _step_clock(text: bytes, by_ns: int, both: bool = False) -> bytes:
    """From the middle of the log the wall clock is ``by_ns`` ahead; with ``both`` the monotonic clock, too."""
    middle = int(SNAPSHOT.findall(text)[0][2]) + len(SNAPSHOT.findall(text)) * 6 // 10

    def step(match: re.Match) -> bytes:
        wall, monotonic, number = (int(match[i]) for i in (1, 2, 3))
        if number < middle:
            return match[0]
        return b"#T %d %d %d %b" % (wall + by_ns, monotonic + by_ns * both, number, match[4])

    return SNAPSHOT.sub(step, text)


def _other_boot(text: bytes) -> bytes:
    middle = int(SNAPSHOT.findall(text)[0][2]) + len(SNAPSHOT.findall(text)) * 6 // 10

    def reboot(match: re.Match) -> bytes:
        if int(match[3]) < middle:
            return match[0]
        return b"#T %b %b %b 00000000-1111-2222-3333-444444444444" % match.group(1, 2, 3)

    return SNAPSHOT.sub(reboot, text)


def _drop_snapshots(text: bytes, begin: float, end: float) -> bytes:
    """Without the snapshots of that share of the log; a sentinel of the end stays."""
    head, *parts = _snapshots(text)
    first, last = round(begin * len(parts)), round(end * len(parts))
    _, mark, closing = parts[-1].partition(b"#END")
    tail = b"" if last < len(parts) else mark + closing
    return head + b"".join(parts[:first] + parts[last:]) + tail


def _end_early(text: bytes, share: float) -> bytes:
    head, *parts = _snapshots(text)
    return head + b"".join(parts[: round(share * len(parts))]) + b"#END tool exited with code 1\n"


def _exchange(copy: Copy, one: str, other: str) -> None:
    paths = [copy.log(one), copy.log(other)]
    texts = [read_log(path) for path in paths]
    for path, text in zip(paths, reversed(texts), strict=True):
        write_log(path, text)


def _from_other_run(copy: Copy, log: str) -> None:
    source = ROOT / "data/raw" / RECORDED / log
    source = source if source.exists() else source.with_name(source.name + ".zst")
    write_log(copy.log(log), read_log(source))


def _link_role(copy: Copy) -> None:
    shutil.rmtree(copy.run / "web")
    (copy.run / "web").symlink_to(Path("../../../") / RECORDED / "web")
