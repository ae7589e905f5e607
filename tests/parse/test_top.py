"""top: goldens by version and language, tables printed and read back, cuts, dropped and doubled lines."""

import json

import polars as pl
import pytest
from cuts import around_line_ends, check_cut, rows_by_line
from golden import (
    expected,
    goldens,
    options,
    parse_or_refuse,
    plain,
    random_lines,
    read,
    with_each_line_repeated,
    without_each_line,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parse
from pipeline.parse import texts
from pipeline.parse.top_languages import COLUMN_TRANSLATIONS, canonical_names

NAMES = "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
ROW = "    910 mysql     20   0 2262544 988.8m  27896 S  50.0   4.1   0:31.59 mariadbd\n"
SMALL = f"""\
#T 1795383360000000000 51000000000 0 b
top - 21:36:00 up 1 min,  2 users,  load average: 1.54, 0.91, 0.47
Tasks:  89 total,   2 running,  87 sleeping,   0 stopped,   0 zombie
%Cpu(s):  1.0 us, 29.0 sy,  0.0 ni, 70.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st
MiB Mem :  24105.6 total,  19942.7 free,   2211.1 used,   2266.2 buff/cache

{NAMES}{ROW}\
#T 1795383361000000000 52000000000 1 b
top - 21:36:01 up 1 min,  0 user,  load average: 1.54, 0.91, 0.47
{NAMES}#END x
"""
BY_HAND = [path for path in goldens("top") if "language" not in path.stem]
A_FEW = [path for path in BY_HAND if path.stem.startswith(("busybox_1.36", "procps_3.2.3", "tr"))]


def parsed(text, **given):
    return parse.parse_log("top", parse.log_from_text(text, "x.log"), **given)


def processes(text, **given):
    return parsed(text, **given).tables["top_processes"]


def summary(text, **given):
    return parsed(text, **given).tables["top_summary"]


@pytest.mark.parametrize("path", goldens("top"), ids=lambda p: p.stem)
def test_golden(path):
    assert json.loads(json.dumps(plain(read("top", path), options(path)))) == expected(path)


# --------------------------------------------------------------------------------- tables and columns


def test_columns_are_found_by_name_wherever_they_stand():
    text = "COMMAND       PID %CPU USER\nCPU 0/KVM     12  99.0 qemu\nIO iothread0  13   0.5 qemu\n"
    assert processes(text).select("pid", "cpu_percent", "user", "command").rows() == [
        (12, 99.0, "qemu", "CPU 0/KVM"),
        (13, 0.5, "qemu", "IO iothread0"),
    ]


def test_the_width_of_the_pid_column_does_not_matter():
    narrow, wide = NAMES.replace("    PID", "  PID"), ROW.replace("    910", "4194303")
    assert processes(narrow + ROW.replace("    910", "  910"))["pid"].to_list() == [910]
    assert processes(narrow + wide)["pid"].to_list() == [4194303]


def test_the_last_column_takes_the_rest_of_the_line():
    text = NAMES + ROW.replace("mariadbd", "/usr/sbin/mariadbd  --user=mysql %CPU 12 <script>")
    assert processes(text)["command"].to_list() == [
        "/usr/sbin/mariadbd  --user=mysql %CPU 12 <script>"
    ]


def test_second_names_have_their_own_columns_from_there_on():
    text = NAMES + ROW + "\n  PID   RES COMMAND\n  911  10.0g idle\n"
    frame = processes(text)
    assert frame["command"].to_list() == ["mariadbd", "idle"]
    assert frame["cpu_percent"].to_list() == [50.0, None]
    assert frame["resident_bytes"].to_list() == [round(988.8 * 2**20), 10 * 2**30]
    assert frame["snapshot"].to_list() == [0, 1]


def test_rows_without_names_are_refused_with_the_reason():
    result = parsed(ROW + ROW.replace("910", "911"))
    assert result.tables["top_processes"].height == 0
    assert result.rejects["reason"].unique().to_list() == [texts.TOP_ROW_WITHOUT_NAMES]


@pytest.mark.parametrize(
    "names",
    [
        "    PID UTENTE    PR  NI    VIRT    RES    SHR S  %CPU  %MEM    TEMPO+ COMANDO",
        "    PID BRUGER    PR  NI    VIRT    RES    SHR S  %CPU  %MEM      TID+ KOMMANDO",
        "    PID 用戶      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ 指令",
        "    ИД  ПОЛЬЗ     ПР  НИ    ВИРТ    РЕЗ    РАЗ С  %ЦП   %ПАМ    ВРЕМЯ+ КОМАНДА",
    ],
)
def test_names_in_an_unknown_language_are_an_error_never_a_guess(names):
    with pytest.raises(parse.UnknownFormatError, match="language") as caught:
        parsed(
            "top - 21:36:00 up 1 min,  2 users,  load average: 1.54, 0.91, 0.47\n\n"
            + names
            + "\n"
            + ROW
        )
    assert (caught.value.file, caught.value.line) == ("x.log", 3)


def test_every_language_names_each_column_once():
    for language, words in COLUMN_TRANSLATIONS.items():
        for theirs, ours in words.items():
            assert canonical_names(["PID", theirs, *words][: 2 + len(words)])[1] == (), (
                language,
                theirs,
                ours,
            )


def test_a_column_that_english_top_does_not_have_is_passed_over():
    frame = processes("  PID NEWCOL USER COMMAND\n  9 1-2 root a b\n")
    assert frame.select("pid", "user", "command").rows() == [(9, "root", "a b")]


def test_a_name_that_stands_twice_is_refused_with_its_rows():
    result = parsed(NAMES.replace("SHR", "RES") + ROW)
    assert result.rejects["reason"].to_list()[0] == texts.duplicate_names(["RES"])
    assert result.rejects.height == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2262544", "22G2544"),
        ("50.0", "5O.0"),
        ("0:31.59", "0:31.5"),
        ("20   0", "20   x"),
        (" S ", " "),
    ],
)
def test_a_field_that_its_column_cannot_have_is_refused(old, new):
    result = parsed(NAMES + ROW.replace(old, new, 1) + ROW.replace("910", "911"))
    assert result.tables["top_processes"]["pid"].to_list() == [911]
    assert result.rejects["line"].to_list() == [2]


@pytest.mark.parametrize("priority", ["20", "-51", "rt", "RT"])
def test_priorities(priority):
    assert processes(NAMES + ROW.replace("20", priority))["priority"].to_list() == [priority]


def test_unknown_is_null_and_never_zero():
    frame = processes(NAMES + ROW.replace("988.8m", "?"))
    assert frame["resident_bytes"].to_list() == [None]
    row = summary("top - 21:36:00 up 1 min,  load average: 1.54, 0.91, 0.47\n").row(0, named=True)
    assert (
        row["users"]
        is row["tasks"]
        is row["cpu_steal_percent"]
        is row["memory_total_bytes"]
        is None
    )


def test_a_process_twice_in_one_snapshot_counts_once():
    result = parsed(NAMES + ROW + ROW)
    assert result.tables["top_processes"].height == 1
    assert result.rejects["reason"].to_list() == [texts.DUPLICATE_PID.format(910)]


# ------------------------------------------------------------------------------------------- summary


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("up 0 min", 0),
        ("up 31 min", 1860),
        ("up  9:49", 35340),
        ("up 1 day,  1:23", 91380),
        ("up 2 days, 17:39", 236340),
        ("up 12 days, 5 min", 12 * 86400 + 300),
    ],
)
def test_uptime(text, seconds):
    line = f"top - 21:36:00 {text},  2 users,  load average: 1.54, 0.91, 0.47\n"
    assert summary(line)["uptime_s"].to_list() == [seconds]


def test_means_over_cpus_only_where_all_were_read():
    cpus = "".join(f"%Cpu{n}  : {n}.0 us,  0.0 sy,  0.0 ni,{90 + n}.0 id\n" for n in range(3))
    mem = "MiB Mem :  24105.6 total,  19942.7 free,   2211.1 used,   2266.2 buff/cache\n"
    assert summary(cpus + mem).select("cpu_user_percent", "cpu_idle_percent").rows() == [
        (1.0, 91.0)
    ]
    assert summary(cpus[:-20] + "\n" + mem)["cpu_idle_percent"].to_list() == [None]
    assert summary(cpus[:-1])["cpu_user_percent"].is_null().all()


def test_a_snapshot_without_rows_keeps_its_summary():
    result = parsed(SMALL)
    assert result.tables["top_summary"]["snapshot"].to_list() == [0, 1]
    assert result.tables["top_processes"]["snapshot"].to_list() == [0]
    assert result.snapshots == 2


def test_first_iterations_are_no_intervals():
    assert summary(SMALL)["is_interval"].to_list() == [False, True]
    plain_text = "".join(line for line in SMALL.splitlines(keepends=True) if line[0] != "#")
    assert summary(plain_text)["is_interval"].to_list() == [False, True]
    for reason, is_interval in (
        ("top ended: killed", False),
        ("missed 2 ticks; top ended", False),
        ("the disk was full", True),
        ("missed 1 tick", True),
    ):
        gap = SMALL.replace("#T 1795383361", f"#GAP {reason}\n#T 1795383361")
        assert summary(gap)["is_interval"].to_list() == [False, is_interval], reason


def test_sentinels_win_over_the_clock():
    times = summary(SMALL, date="2000-01-01", tz="Asia/Tokyo")["time"]
    assert times.dt.to_string("%FT%T").to_list() == ["2026-11-22T21:36:00", "2026-11-22T21:36:01"]


def test_without_a_date_times_are_null_with_a_warning():
    result = parsed(SMALL.split("\n", 1)[1].split("#T")[0])
    assert result.tables["top_processes"]["time"].to_list() == [None]
    assert "no date" in result.warnings[0]


# -------------------------------------------------------------------------------- the tool's own faults


THREADS = """\
Threads:   3 total,   1 running,   2 sleeping,   0 stopped,   0 zombie
  PID  TGID USER      RES  %CPU   TIME+ COMMAND
 2945  2945 root     990m  99.0   0:29.03 qemu-system-x86
 2949  2945 root     990m  95.0   0:27.80 CPU 0/TCG
 2950  2950 root       1m   7.0   0:01.00 other
"""


@pytest.mark.parametrize(
    ("version", "cpu", "time", "flag"),
    [
        ("procps-ng 4.0.2", 4.0, 1.23, "leader-corrected"),
        ("procps-ng 4.0.0", 4.0, 1.23, "leader-corrected"),
        ("procps-ng 4.0.4", 99.0, 29.03, None),
        ("procps-ng 3.3.17", 99.0, 29.03, None),
        (None, 99.0, 29.03, None),
    ],
)
def test_leaders_of_threads(version, cpu, time, flag):
    leader, thread, alone = processes(THREADS, tool_version=version).to_dicts()
    assert (leader["cpu_percent"], leader["cpu_time_s"], leader["flags"]) == (cpu, time, flag)
    assert (thread["cpu_percent"], alone["cpu_percent"], alone["flags"]) == (95.0, 7.0, None)
    assert leader["is_thread"] and leader["tgid"] == 2945


def test_a_leader_whose_threads_may_be_cut_off_is_unknown():
    text = THREADS.replace("3 total", "4 total")
    leader, *_ = processes(text, tool_version="4.0.2").to_dicts()
    assert (leader["cpu_percent"], leader["flags"]) == (None, "leader-corrected")
    leader, *_ = processes(text + "#END x\n", tool_version="4.0.2").to_dicts()
    assert leader["cpu_percent"] == 4.0


def test_too_coarse_a_time_cannot_be_corrected():
    leader, *_ = processes(
        THREADS.replace("  0:29.03", "   29,00"), tool_version="4.0.2"
    ).to_dicts()
    assert (leader["cpu_percent"], leader["cpu_time_s"]) == (4.0, None)


# ----------------------------------------------------------------------------------- printed, read back

TEXT = st.text(
    st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=8
)
PROCESS = st.fixed_dictionaries(
    {
        "PID": st.integers(1, 2**22),
        "USER": TEXT.filter(lambda user: user != "-"),
        "PR": st.sampled_from(["20", "-51", "rt", "0"]),
        "NI": st.integers(-20, 19),
        "VIRT": st.integers(0, 9_999_999),
        "RES": st.integers(0, 999_999),
        "SHR": st.floats(0, 999).map(lambda value: round(value, 1)),
        "S": st.sampled_from("DIRSTtWXZ"),
        "%CPU": st.floats(0, 9999).map(lambda value: round(value, 1)),
        "%MEM": st.floats(0, 100).map(lambda value: round(value, 1)),
        "TIME+": st.integers(0, 6 * 360_000),
        "PPID": st.integers(0, 2**22),
        "COMMAND": st.lists(TEXT, min_size=1, max_size=4).map(" ".join),
    }
)
ORDER = st.permutations([name for name in PROCESS.wrapped_strategy.mapping if name != "COMMAND"])


def printed(process, columns, point):
    """A row as top prints it."""
    texts = {
        **{name: str(value) for name, value in process.items()},
        "SHR": f"{process['SHR']:.1f}m".replace(".", point),
        "%CPU": f"{process['%CPU']:.1f}".replace(".", point),
        "%MEM": f"{process['%MEM']:.1f}".replace(".", point),
        "TIME+": "{}:{:02}.{:02}".format(
            *divmod(process["TIME+"] // 100, 60), process["TIME+"] % 100
        ),
    }
    return " ".join(f"{texts[name]:>7}" for name in columns) + f" {process['COMMAND']}\n"


def as_read(process):
    """What the row then is."""
    return {
        "pid": process["PID"],
        "user": process["USER"],
        "priority": process["PR"],
        "nice": process["NI"],
        "virtual_bytes": process["VIRT"] * 1024,
        "resident_bytes": process["RES"] * 1024,
        "shared_bytes": round(process["SHR"] * 1024 * 1024),
        "state": process["S"],
        "cpu_percent": process["%CPU"],
        "memory_percent": process["%MEM"],
        "cpu_time_s": process["TIME+"] / 100,
        "ppid": process["PPID"],
        "command": process["COMMAND"],
    }


@settings(deadline=None, max_examples=25)
@given(
    st.lists(PROCESS, max_size=8, unique_by=lambda process: process["PID"]),
    ORDER,
    st.sampled_from(".,"),
)
def test_a_table_printed_is_read_back(rows, order, point):
    text = f"{' '.join(order)} COMMAND\n" + "".join(printed(row, order, point) for row in rows)
    result = parsed(text)
    assert not result.rejects.height, result.rejects.rows()
    known = [as_read(row) for row in rows]
    assert (
        result.tables["top_processes"].select(list(as_read(rows[0])) if rows else []).to_dicts()
        == known
    )


# --------------------------------------------------------------------------- cut, dropped, doubled, mixed


def test_cut_at_every_byte():
    short = SMALL.replace(NAMES + ROW, "PID RES TIME+ COMMAND\n910 98m 0:31.59 mysqld\n").replace(
        "  ", " "
    )
    whole = rows_by_line(parsed(short))
    for at in range(len(short)):
        check_cut("top", short, at, whole)
    bare = NAMES + ROW
    whole = rows_by_line(parsed(bare))
    for at in range(len(NAMES), len(bare)):
        check_cut("top", bare, at, whole)


@pytest.mark.parametrize("path", A_FEW, ids=lambda p: p.stem)
def test_cut_around_every_line_end(path):
    text, given = path.read_text(), options(path)
    whole = rows_by_line(read("top", path))
    for at in around_line_ends(text):
        check_cut("top", text, at, whole, **given)


@pytest.mark.parametrize("path", A_FEW, ids=lambda p: p.stem)
def test_a_line_dropped_or_doubled_spoils_no_other_row(path):
    text, given = path.read_text(), options(path)
    whole = read("top", path)
    before = {(row["pid"], row["cpu_time_s"]) for row in whole.tables["top_processes"].to_dicts()}
    for number, less in without_each_line(text):
        result = parse_or_refuse("top", less, **given)
        after = {
            (row["pid"], row["cpu_time_s"]) for row in result.tables["top_processes"].to_dicts()
        }
        lost = len(before - after)
        assert (
            after <= before | {(911, None), (1940, 0.01)} and lost <= 1 + result.rejects.height
        ), number
    for number, more in with_each_line_repeated(text):
        result = parse_or_refuse("top", more, **given)
        frame = result.tables["top_processes"]
        assert (
            frame.select(pl.struct("snapshot", "pid").is_duplicated().any()).item() is not True
        ), number
        after = {(row["pid"], row["cpu_time_s"]) for row in frame.to_dicts()}
        assert after <= before | {(1940, 0.01)}, number


PIECES = [
    *SMALL.splitlines(keepends=True),
    *(path.read_text()[:400] for path in BY_HAND[:3]),
    "top - ", "Tasks: x\n", "\n", "\r", "\0", "  12 ", "PID", "%Cpu(s):", "#GAP\n", "é", "Mem: 5\n", NAMES[:30],
]  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(random_lines(PIECES))
def test_any_mixture_is_read_or_refused(text):
    parse_or_refuse("top", text)


def test_processes_again_in_a_second_table_of_one_snapshot_are_rejects():
    text = (
        "#T 2 2 0 c\n"
        "  PID USER      S  %CPU COMMAND\n"
        "    1 root      S   1.0 init\n"
        "   12 web       S   1.0 apache2\n"
        "KiB Swap:  2 total,  2 free,  0 used.  12 avail Mem \n"
        "  PID S  %CPU COMMAND\n"
        "    1 S   2.0 init\n"
        "   12 S   3.0 apache2\n"
    )
    result = parsed(text)
    assert result.tables["top_processes"]["cpu_percent"].to_list() == [1.0, 1.0]
    assert result.rejects.select("line", "reason").rows() == [
        (7, texts.DUPLICATE_PID.format(1)),
        (8, texts.DUPLICATE_PID.format(12)),
    ]


def test_four_windows_tell_of_one_process_together():
    text = (
        "1:Def - 14:02:10 up 3 min,  2 users,  load average: 0.80, 0.41, 0.17\n\n"
        "1  PID USER      PR  NI    VIRT    RES    SHR S %CPU %MEM     TIME+ COMMAND\n"
        "    12 web       20   0  170240   9300   4100 R  6.2  0.1   0:00.01 apache2\n"
        "2  PID  PPID     TIME+ %CPU %MEM  PR  NI S    VIRT    RES   UID COMMAND\n"
        "    13     1   0:00.02  0.2  0.1  20   0 S  170240   9300     0 sshd\n"
        "    12     7   0:00.01  9.9  0.1  20   0 R  170240   9300     0 apache2\n"
        "    12     8   0:00.01  6.2  0.1  20   0 R  170240   9300     0 apache2\n"
    )
    result = parsed(text)
    assert result.tables["top_processes"].select(
        "line", "pid", "ppid", "user", "cpu_percent", "command"
    ).rows() == [(4, 12, 7, "web", 6.2, "apache2"), (6, 13, 1, None, 0.2, "sshd")]
    assert result.rejects.select("line", "reason").rows() == [(8, texts.DUPLICATE_PID.format(12))]
    assert result.snapshots == 1


def test_the_memory_table_of_busybox():
    text = (
        "Mem 2048000K total, 1148000K used, 900000K free\n"
        "  PID   VSZ^VSZRW   RSS (SHR) DIRTY (SHR) STACK COMMAND\n"
        " 1234  4096  1000  2000  1000   300     0   132 sshd\n"
    )
    result = parsed(text)
    assert result.tables["top_processes"].select(
        "pid", "virtual_bytes", "resident_bytes", "cpu_percent", "command"
    ).rows() == [(1234, 4096 * 1024, 2000 * 1024, None, "sshd")]
    assert result.rejects["line"].to_list() == [1]
    assert any("VSZRW" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("printed", "seconds", "step"),
    [
        ("579:03.91", 34_743.91, 0.01),
        ("1241:00", 74_460.0, 1.0),
        ("1:02", 62.0, 1.0),
        ("206,45", 744_300.0, 60.0),
        ("5h", 18_000.0, 3600.0),
        ("3d", 259_200.0, 86_400.0),
        ("2w", 1_209_600.0, 604_800.0),
        ("4d+3h", 356_400.0, 3600.0),
        ("2w+1d", 1_296_000.0, 86_400.0),
    ],
)
def test_every_form_of_time(printed, seconds, step):
    frame = processes(NAMES + ROW.replace("  0:31.59", printed))
    assert frame.select("cpu_time_s", "cpu_time_resolution_s").rows() == [(seconds, step)]


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("top - 21:36:00 up 1 min,  2 users,  load average: 1.54, 0.91, 0.4", (1.54, 0.91, None)),
        ("Tasks: 118 total,   1 running, 100 sleep,  17 d-sleep,   0 stopped", (118, 1, 117)),
        ("Tasks: 118 total,   1 running, 100 sleep", (118, 1, None)),
        ("Zadania:razem:  118, działających:   1, śpiących:  11", (118, 1, None)),
    ],
)
def test_a_number_that_may_lack_digits_is_unknown(line, known):
    frame = summary(f"top - 21:36:00 up 1 min,  2 users\n{line}\n{NAMES}{ROW}")
    columns = ["tasks", "tasks_running", "tasks_sleeping"]
    if line.startswith("top"):
        columns = ["load_1", "load_5", "load_15"]
        frame = summary(f"{line}\n{NAMES}{ROW}")
    assert frame.select(columns).rows() == [known]


def test_a_leader_in_a_snapshot_that_was_cut_off_is_unknown_though_the_log_goes_on():
    names = (
        "    PID    TGID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
    )
    row = "   2945    2945 root      20   0 2136100 993380  27896 S  95.0   4.0   0:27.80 qemu\n"
    other = row.replace("   2945    2945", "   2949    2945")
    head = "Threads:   2 total,   1 running,   1 sleeping,   0 stopped,   0 zombie\n"
    tick = SMALL.splitlines(keepends=True)[0]
    text = (
        f"{tick}{head}{names}{row}#T 1795383399000000000 9 0 c\n{head}{names}{row}{other}#END x\n"
    )
    frame = processes(text, tool_version="procps-ng 4.0.2")
    assert frame["cpu_percent"].to_list() == [None, 0.0, 95.0]
