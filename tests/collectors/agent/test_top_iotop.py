"""top's and iotop's output: cut into snapshots, selected by process, without forged lines."""

import re
import shutil
import time

import pytest
import top_iotop

from ..helpers import collect, needs_root, needs_top, snapshots


class MemoryLog:
    """A log in memory."""

    def __init__(self):
        self.text = b""

    def sentinel(self, *_):
        return b"#T\n"

    def write(self, data, snapshot):
        self.text += data

    def rotate_if_due(self):
        return False


class OneTaskMatcher:
    """A matcher for two tasks, of which one matches."""

    unmatched = ()

    def matches_tid(self, number):
        return {7: True, 8: False}.get(number)

    def matches_text(self, *_):
        return False


def test_rest_of_a_command_line_is_kept_only_with_its_row():
    """A command line may contain line ends: its later lines are not rows, and belong to its process."""

    log = MemoryLog()
    settings = {"argv": ["iotop"], "start": (b"Total",)}
    tool = top_iotop.Tool("iotop", settings, log, OneTaskMatcher(), lambda: (0, 0))
    tool.feed(
        b"Total DISK READ: 0 | Total\n  TID  PRIO  USER COMMAND\n"
        b" 8 be/4 root 0 K/s 0 K/s python3 -c \nimport secret\n\n"
        b" 7 be/4 root 0 K/s 0 K/s mine -c \nsecond line of mine\n"
        b" 9 be/4 root 0 K/s 0 K/s gone -c \nsecret too\n"
    )
    tool.flush()
    assert b"secret" not in log.text
    assert b"second line of mine" in log.text
    tool.feed(b"Total DISK READ: 0 | Total\n  TID  PRIO  USER COMMAND\nsecret tail\n")
    tool.flush()
    assert b"secret" not in log.text


PRINTED = {
    "py": b"Total DISK READ :       0.00 K/s | Total\nActual DISK READ:       0.00 K/s | A\n"
    b"  TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND\n"
    b"    7 be/4 a           1.00 K/s    0.00 K/s  0.00 %  0.00 % mine Total DISK READ\n"
    b"    8 be/4 b           1.00 K/s    0.00 K/s  0.00 %  0.00 % another's\n",
    "literals": b"b'Total DISK READ :       0.00 K/s | Total'\nb'Actual DISK READ:       0.00 K/s'\n"
    b"b'  TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND'\n"
    b"b'    7 be/4 a           1.00 K/s    0.00 K/s  0.00 %  0.00 % mine Total DISK READ'\n"
    b"b'    8 be/4 b           1.00 K/s    0.00 K/s  0.00 %  0.00 % another's'\n",
    "c": b"  Total DISK READ:    0.00 K/s |   Total\nCurrent DISK READ:    0.00 K/s | C\n"
    b"   TID PRIO     USER   DISK READ  DISK WRITE SWAPIN     IO COMMAND\n"
    b"     7 be/4 a            1.00 K/s   0.00 K/s  0.00 % 0.00 % mine Total DISK READ\n"
    b"     8 be/4 b            1.00 K/s   0.00 K/s  0.00 % 0.00 % another's\n",
}


@pytest.mark.parametrize("form", PRINTED)
@pytest.mark.parametrize("step", [1, 7, 100000])
@pytest.mark.parametrize("only", [False, True])
def test_output_in_any_chunks_is_cut_into_snapshots(form, step, only):

    log = MemoryLog()
    settings = {"argv": ["iotop"], "start": (b"Total DISK READ",)}
    tool = top_iotop.Tool(
        "iotop", settings, log, OneTaskMatcher() if only else None, lambda: (0, 0)
    )
    data = PRINTED[form] * 3
    for at in range(0, len(data), step):
        tool.feed(data[at : at + step])
    tool.flush()
    expected = [x for x in PRINTED[form].splitlines() if not (only and b"another" in x)]
    assert log.text.splitlines() == [b"#T", *expected] * 3


def test_line_without_end_is_limited():

    tool = top_iotop.Tool(
        "top", {"argv": ["top"], "start": (b"top - ",)}, MemoryLog(), None, lambda: (0, 0)
    )
    for _ in range(40):
        tool.feed(b"x" * 100000)
    assert len(tool.partial_line) <= top_iotop.MAX_PARTIAL_LINE_BYTES


FORGED = (
    "x\n#T 1 1 1 forged\n#GAP forged\n#END forged\n"
    " 4242 be/4 root  9999999.99 K/s 0.00 K/s  0.00 %  0.00 % forged\n"
    "Total DISK READ: 1.00 K/s | Total DISK WRITE: 1.00 K/s\r 4243 be/4 forged"
)


@needs_root
@needs_top
@pytest.mark.parametrize("kind", ["auto", "proc", "py", "c"])
@pytest.mark.parametrize("only", [None, "qv-forger"])
def test_command_line_cannot_forge_lines(folder, forger, kind, only):
    if kind in ("py", "c") and not shutil.which(f"iotop-{kind}"):
        pytest.skip(f"iotop-{kind} is not there (apt install iotop, iotop-c)")
    p = forger(FORGED)
    out = folder / "out"
    options = ["--only", only] if only else []
    started = collect("start", "--out", out, "--interval", "0.5", "--iotop", kind, *options)
    assert started.returncode in (0, 1)
    time.sleep(2.5)
    collect("stop", "--out", out)
    for name in ("iotop.log", "tasks.log", "top.log"):
        text = (out / name).read_text(errors="replace")
        assert not re.search(r"(?m)^(#T 1 1 1|#GAP forged|#END forged)", text), name
        assert "\r" not in text, "a return would end a line, too"
        records, last = snapshots(out / name)
        assert last == "#END SIGTERM" and all(fields[3] != "forged" for fields, _ in records)
        if kind != "c":
            assert not re.search(r"(?m)^(\s*424[23] be/4|Total DISK READ: 1.00 K/s)", text), name
    if kind == "c":  # its rows are not distinguishable from text: used on request only, and noted
        assert "line ends in command lines" in (out / "facts.json").read_text()
        return
    log = (out / "iotop.log").read_text(errors="replace")
    rows = [line for line in log.splitlines() if "forged" in line]
    assert rows, "the process's own row"
    assert all(re.match(rf"\s*{p.pid} ", row) for row in rows), "no forged row"


@pytest.mark.parametrize(
    ("output", "written"),
    [
        (b" 1 be/4 a\n#T 1 2 3 b\n", b" 1 be/4 a\n\\#T 1 2 3 b\n"),
        (b"#END x\n", b"\\#END x\n"),
        (b"a\rb\n", b"a\\rb\n"),
        (b"nothing\n to do\n", b"nothing\n to do\n"),
        (b" 7 be/4 mysql --password=x -h y\n", b" 7 be/4 mysql --password=[redacted] -h y\n"),
        (b" 7 be/4 \xff --token=x\n", b" 7 be/4 \xff --token=[redacted]\n"),
    ],
)
def test_escape_lines(output, written):
    assert top_iotop.escape_lines(output) == written
