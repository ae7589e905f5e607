"""Summary lines of top in other languages, other programs, joined lines, tables without their heads."""

import pytest

from pipeline import parse
from pipeline.parse import texts
from pipeline.parse.foreign_tops import PROGRAMS
from pipeline.parse.top_messages import _MESSAGES, columns_of_labels

CLOCK = "top - 09:15:00 up 3 days,  2:00,  1 user,  load average: 0,10, 0,20, 0,30\n"
NAMES = "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
ROW = "    {} {}      20   0   20000   2000    700 S   {}   0.2   0:03.00 {}\n"


def parsed(text):
    return parse.parse_log("top", parse.log_from_text(text, "x.log"))


def summary(text):
    return parsed(CLOCK + text + NAMES).tables["top_summary"].row(0, named=True)


def cpu(row):
    names = ("user", "system", "nice", "idle", "iowait", "hardirq", "softirq", "steal")
    return [row[f"cpu_{name}_percent"] for name in names]


def test_a_whole_message_of_any_language_has_one_meaning():
    whole = {text for _, _, by_language in _MESSAGES for text in by_language.values()}
    for kind, columns, by_language in _MESSAGES:
        for language, text in by_language.items():
            labels = text.split("|")
            assert columns_of_labels(kind, labels) == columns[: len(labels)], (kind, language)
            for label in labels:
                others = [other for other in labels if other != label]
                part = None if "|".join(others) in whole else columns_of_labels(kind, others)
                expected = tuple(c for c, b in zip(columns, labels, strict=False) if b != label)
                assert part in (None, expected), (kind, language, label)


def test_labels_of_two_languages_in_one_line_are_not_understood():
    assert columns_of_labels("cpu", ["us", "sy", "uż"]) is None
    assert columns_of_labels("cpu", ["be", "sy", "ni"]) is None
    assert columns_of_labels("memory", ["total", "libre", "usados"]) is None


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("%CPU(s): 11,0 be,  4,0 sy,  0,5 ni, 80,0 un,  1,5 wa,  1,0 hi,  1,0 si,  1,0 st",
         [11, 4, 0.5, 80, 1.5, 1, 1, 1]),
        ("%CPU:    11,0 uż,  4,0 sy,  0,5 ni, 80,0 be,  1,5 io,  1,0 hi,  1,0 si,  1,0 sk",
         [11, 4, 0.5, 80, 1.5, 1, 1, 1]),
        ("%Cpu(s): 11,0 us,  4,0 sis,  0,5 ni, 80,0 oc,  1,5 ag,  1,0 ih,  1,0 is   1,0 tr",
         [11, 4, 0.5, 80, 1.5, 1, 1, 1]),
        ("%Cpu(s): 11.0 用,  4.0 系,  0.5 ni, 80.0 闲,  1.5 等,  1.0 硬,  1.0 软,  1.0 丢",
         [11, 4, 0.5, 80, 1.5, 1, 1, 1]),
        ("%Cpu(s):100.0 us,  0.0 sy,  0.0 ni,100.0 id", [100, 0, 0, 100, None, None, None, None]),
        ("%Cpu(s): 11,0 us,  4,0 xx,  0,5 ni, 80,0 id", [None] * 8),
    ],
)  # fmt: skip
def test_percentages_by_language(line, values):
    result = parsed(f"{CLOCK}{line}\n{NAMES}")
    assert cpu(result.tables["top_summary"].row(0, named=True)) == values
    rejects = [] if values[0] is not None else [(2, texts.not_understood("cpu"))]
    assert result.rejects.select("line", "reason").rows() == rejects


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("Tareas: 130 total,   3 ejecutar,  126 hibernar,    1 detener,    0 zombie", (130, 3, 126, 1, 0)),
        ("Tasks: 130 gesamt,   3 laufend, 126 schlafend,   1 gestoppt,   0 Zombie", (130, 3, 126, 1, 0)),
        ("Sarcini: 130 total, 3 rulând, 120 dormind, 6 d-dormind, 1 oprit(e), 0 zombi", (130, 3, 126, 1, 0)),
        ("任务: 130 总共, 3 运行中, 120 睡眠, 6 不可中断睡眠, 1 已停止, 0 僵尸", (130, 3, 126, 1, 0)),
        ("Tasks: 130 total,   3 marche,  126 sleeping,   1 stopped,   0 zombie", (None,) * 5),
    ],
)  # fmt: skip
def test_numbers_of_tasks_by_language(line, counts):
    row = summary(f"{line}\n")
    names = ("tasks", "tasks_running", "tasks_sleeping", "tasks_stopped", "tasks_zombie")
    assert tuple(row[name] for name in names) == counts


@pytest.mark.parametrize(
    ("memory", "swap"),
    [
        ("MB mem :   9000,0 total,   2000,0 livre,   6500,0 usados,    500,0 buff/cache",
         "MB swap:   1000,0 total,    900,0 livre,    100,0 usados,   2200,0 mem dispon."),
        ("MiB Spch:   9000,0 gesamt,   2000,0 frei,   6500,0 belegt,    500,0 Puff/Cache",
         "MiB Swap:   1000,0 gesamt,    900,0 frei,    100,0 belegt.   2200,0 verfü Spch"),
        ("MiB 内存:   9000.0 总共,   2000.0 空闲,   6500.0 已用,    500.0 缓冲/缓存",
         "MiB 交换:   1000.0 总共,    900.0 空闲,    100.0 已用.   2200.0 可用 内存"),
    ],
)  # fmt: skip
def test_sizes_by_language(memory, swap):
    row = summary(f"{memory}\n{swap}\n")
    sizes = [
        row[f"memory_{name}_bytes"] for name in ("total", "free", "used", "cache", "available")
    ]
    assert [size / 2**20 for size in sizes] == [9000, 2000, 6500, 500, 2200]
    assert row["swap_used_bytes"] == 100 * 2**20


def test_more_cache_than_memory_is_unknown():
    text = "Mem: 400000K used, 100000K free, 0K shrd, 0K buff, 139914323006485K cached\n" + NAMES
    result = parsed(text)
    row = result.tables["top_summary"].row(0, named=True)
    assert (row["memory_used_bytes"], row["memory_cache_bytes"]) == (400_000 * 1024, None)
    assert row["flags"] == "memory-exceeds-total"
    assert any("more memory in use" in warning for warning in result.warnings)


def test_a_size_without_any_unit_is_unknown():
    row = summary("Mem:  500000k total,  400000k used,  100000k free,  19000000 buffers\n")
    assert (row["memory_total_bytes"], row["memory_cache_bytes"]) == (500_000 * 1024, None)


def test_a_spanish_table():
    names = NAMES.replace("USER   ", "USUARIO").replace("TIME+ COMMAND", "HORA+ ORDEN")
    frame = parsed(CLOCK + names + ROW.format(812, "ann ", "9,5", "qemu")).tables["top_processes"]
    columns = ["pid", "user", "cpu_percent", "cpu_time_s", "command"]
    assert frame.select(columns).rows() == [(812, "ann", 9.5, 3.0, "qemu")]


# ------------------------------------------------------------------------------------ tables without their heads


def test_names_after_rows_begin_another_snapshot():
    text = CLOCK + NAMES + ROW.format(812, "ann ", "0,0", "qemu") + "\n" + NAMES
    text += ROW.format(812, "ann ", "9,5", "qemu") + ROW.format(813, "bob ", "1,5", "sh")
    result = parsed(text)
    frame = result.tables["top_processes"]
    assert frame.select("snapshot", "pid", "cpu_percent").rows() == [
        (0, 812, 0.0), (1, 812, 9.5), (1, 813, 1.5),
    ]  # fmt: skip
    summary = result.tables["top_summary"].select("snapshot", "clock", "time", "is_interval")
    assert summary.rows() == [(0, "09:15:00", None, False), (1, None, None, True)]
    assert result.rejects.is_empty()


def test_processes_that_all_come_again_begin_another_snapshot():
    rows = [
        ROW.format(pid, "ann ", f"{percent}.5", "x") for percent in range(3) for pid in (812, 813)
    ]
    frame = parsed(CLOCK + NAMES + "".join(rows)).tables["top_processes"]
    assert frame.select("snapshot", "cpu_percent").rows() == [
        (0, 0.5), (0, 0.5), (1, 1.5), (1, 1.5), (2, 2.5), (2, 2.5),
    ]  # fmt: skip


def test_one_of_many_processes_again_is_a_reject():
    rows = [ROW.format(pid, "ann ", "0.5", "x") for pid in range(810, 819)]
    result = parsed(CLOCK + NAMES + "".join([*rows, ROW.format(811, "ann ", "7.5", "y")]))
    assert (result.snapshots, result.rejects["line"].to_list()) == (1, [12])


OTHER_LINES = {
    "row": ROW.format(813, "bob ", "7.5", "two"),
    "clock": CLOCK,
    "names": NAMES,
    "tasks": "Tasks: 131 total,   2 running, 129 sleeping,   0 stopped,   0 zombie\n",
    "threads": "Threads: 40 total\n",
    "cpu": "%Cpu(s):  7.0 us,  3.0 sy,  0.0 ni, 90.0 id\n",
    "old cpu": "Cpu(s): 24.7%us,  0.5%sy\n",
    "memory": "MiB Mem :   7800.5 total,    900.0 free\n",
    "swap": "KiB Swap:        0 total,        0 free\n",
    "Polish": "Zadania: razem 131, działających 2, uśpionych 129\n",
    "BusyBox": "Mem: 200000K used, 50000K free, 0K shrd\nCPU:   0% usr",
}


@pytest.mark.parametrize("name", OTHER_LINES)
def test_another_line_within_a_command_is_flagged(name):
    other = OTHER_LINES[name].partition("\n")[0].lstrip() + "\n"
    for before in ("one            ", "one", "one "):
        two = ROW.format(812, "ann ", "0.5", before).rstrip("\n")
        result = parsed(CLOCK + NAMES + two + other)
        assert result.tables["top_processes"]["flags"].to_list() == ["spliced"]
        assert any("1 commands" in warning for warning in result.warnings)


def test_a_cut_row_within_the_padding_of_a_command_is_flagged():
    row = "    813 bob       20   0   10000   1000    500 R  95.0   0.1   0:01.00"
    two = ROW.format(812, "ann ", "0.5", "one").rstrip("\n")
    for end in (35, 42, 49, 56, len(row)):
        flags = parsed(CLOCK + NAMES + two + row[:end] + "\n").tables["top_processes"]["flags"]
        assert flags.to_list() == ["spliced"]


@pytest.mark.parametrize(
    "command",
    [
        "sh -c  'top - up'   13 times  20 0 1 2 3",
        "puma: worker Threads: 5 busy",
        "ps -eo PID,USER,%CPU",
        "tool  7 ann 20 0 10000",
        "qemu -name CPU: 4",
        "monitor Mem: 12M used",
    ],
)
def test_commands_that_resemble_other_lines_have_no_flag(command):
    result = parsed(CLOCK + NAMES + ROW.format(812, "ann ", "0.5", command))
    assert result.tables["top_processes"]["flags"].to_list() == [None]


def test_a_row_behind_the_clock_is_a_flag_of_the_snapshot():
    row = ROW.format(813, "bob ", "7.5", "two")
    for glued in (row, "   " + row):
        result = parsed(CLOCK.rstrip("\n") + glued + NAMES + ROW.format(812, "ann ", "0.5", "x"))
        assert result.tables["top_summary"]["flags"].to_list() == ["spliced"]
        assert any("1 clock lines" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("KiB Mem :  4000000 total,  300000 free, 18446744073709550000 used,  70 buff/cache", "memory_used_bytes"),
        ("MiB Swap:   1000.0 total, 18014398509481980.5 free,  3.0 used", "swap_free_bytes"),
    ],
)  # fmt: skip
def test_a_number_below_zero_that_wrapped_around_is_flagged(line, column):
    result = parsed(CLOCK + f"{line}\n" + NAMES + ROW.format(812, "ann ", "0.5", "x"))
    row = result.tables["top_summary"].row(0, named=True)
    assert (row[column], row["flags"]) == (None, "memory-exceeds-total")
    assert row[column.replace("used", "total").replace("free", "total")] > 0
    assert any("1 snapshots" in warning for warning in result.warnings)


def test_marks_after_the_column_names_are_refused():
    text = "".join(
        f"| {line} |\n" for line in (CLOCK + NAMES + ROW.format(8, "a", 1, "x")).splitlines()
    )
    with pytest.raises(parse.UnknownFormatError):
        parsed(text)


# ------------------------------------------------------------------------------------------------ other programs

FOREIGN = {
    "FreeBSD": """\
last pid:  4711;  load averages:  0.20,  0.30,  0.40    up 3+02:00:00  09:15:00
40 processes:  1 running, 39 sleeping
CPU:  3.0% user,  0.0% nice,  1.0% system,  0.5% interrupt, 95.5% idle
Mem: 100M Active, 200M Inact, 300M Wired, 900M Free

  PID USERNAME    THR PRI NICE   SIZE    RES STATE    C   TIME    WCPU COMMAND
  812 ann           1  20    0    14M  3000K select   0   0:07   2.50% sshd
""",
    "OpenBSD": """\
load averages:  0.20,  0.30,  0.40    host.example 09:15:00
  PID USERNAME PRI NICE  SIZE   RES STATE     WAIT      TIME    CPU COMMAND
  812 ann        2    0 1400K 3000K sleep/0   select    0:07  0.00% sshd
""",
    "macOS": "Processes: 120 total, 2 running, 118 sleeping, 700 threads\n"
    "PID   COMMAND      %CPU TIME     #TH MEM   STATE\n812   sshd         0.0  00:07.10 2   3000K sleeping\n",
    "toybox (Android)": "Tasks: 50 total,   1 running,  49 sleeping,   0 stopped,   0 zombie\n"
    "400%cpu   9%user   0%nice  10%sys 381%idle   0%iow   0%irq   0%sirq   0%host\n",
    "htop": "    PID USER       PRI  NI  VIRT   RES   SHR S  CPU%  MEM%   TIME+  Command\n"
    "    812 ann         20   0 20000  2000   700 S   0.5   0.2  0:03.00 sshd\n",
    "atop": "ATOP - host     2026/11/22  09:15:00     ------      10s elapsed\n"
    "  PID   SYSCPU  USRCPU   VGROW   RGROW  ST EXC   THR S  CPU CMD\n  812  0.01s 0.02s 0K 0K -- - 1 S 0% sshd\n",
    "ps": "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"
    "ann          812  0.5  0.2  20000  2000 ?        Ss   Nov21   0:03 sshd\n",
}  # fmt: skip


@pytest.mark.parametrize("program", FOREIGN)
def test_other_programs_are_refused_by_name(program):
    assert program in PROGRAMS
    with pytest.raises(parse.UnknownFormatError) as caught:
        parsed(FOREIGN[program])
    assert f"output of {program}" in str(caught.value)
    assert parsed(CLOCK + NAMES + ROW.format(812, "ann ", "0.5", "x") + FOREIGN[program]).snapshots
