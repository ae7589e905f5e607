"""Counters of block devices: goldens by form, lines printed and read back, cuts, dropped and doubled lines."""

import json

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
    values,
    with_each_line_repeated,
    without_each_line,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parse
from pipeline.parse import texts
from pipeline.parse.block import FIELDS

SMALL = """\
#T 1795383360000000000 51000000000 0 b
/sys/block/vda/stat:   14200  3361 892828  5058 18736 13416 715384 12604   3 24940 17663
/sys/block/loop1/stat:   718    48  21034    19     5     1     48     7   0    36    26
#T 1795383361000000000 52000000000 1 b
/sys/block/vda/stat:   14210  3361 892928  5058 18736 13416 715384 12604   0 24950 17673
#END x
"""
LINE = "   100     1   800   9   50   1  408   7   0   16   16"


def parsed(text):
    return parse.parse_log("block", parse.log_from_text(text, "x.log"))


def block(text):
    return parsed(text).tables["block"]


@pytest.mark.parametrize("path", goldens("block"), ids=lambda p: p.stem)
def test_golden(path):
    assert json.loads(json.dumps(plain(read("block", path), options(path)))) == expected(path)


@pytest.mark.parametrize(
    ("text", "device"),
    [
        (f"/sys/block/vda/stat:{LINE}", "vda"),
        (f"/sys/block/sda/sda1/stat:{LINE}", "sda1"),
        (f"/sys/class/block/dm-0/stat:{LINE}", "dm-0"),
        (f"/sys/devices/pci0000:00/0000:00:1f.2/ata1/block/sdb/stat:{LINE}", "sdb"),
        (f"/sys/block/cciss!c0d0/stat:{LINE}", "cciss/c0d0"),
        (f"vda:{LINE}", "vda"),
        (f"vda {LINE}", "vda"),
        (f"  8  0 sda {LINE}", "sda"),
        (f"/proc/diskstats:  8  0 sda {LINE}", "sda"),
        (f"104 16 cciss/c0d1 {LINE}", "cciss/c0d1"),
        (f"==> /sys/block/vdb/stat <==\n{LINE}", "vdb"),
        (f"/sys/block/vdb/stat\n{LINE}", "vdb"),
        (LINE, "?"),
    ],
)
def test_the_device_is_named_in_many_ways(text, device):
    frame = block(text + "\n")
    assert frame["device"].to_list() == [device]
    assert frame.select("reads", "read_sectors", "writes", "time_in_queue_ms").rows() == [
        (100, 800, 50, 16)
    ]


@pytest.mark.parametrize(
    "path", ["sdX/stat:", "block/sdX/stat:", "./sdX/stat:", "/sys/block/sdX/stat:"]
)
def test_grep_names_the_file_relative_to_its_folder(path):
    lines = [f"{path.replace('X', x)} {n} 0 8 1 2 0 16 3 0 4 4\n" for n in (1, 2) for x in "ab"]
    block = parse.parse_log("block", parse.log_from_text("".join(lines), "x.log")).tables["block"]
    expected = [(0, "sda", 1), (0, "sdb", 1), (1, "sda", 2), (1, "sdb", 2)]
    assert block.select("snapshot", "device", "reads").rows() == expected


@pytest.mark.parametrize("count", range(1, 24))
def test_the_kernel_prints_4_11_15_17_or_more(count):
    name = "vda/vda1" if count == 4 else "vda"
    result = parsed(f"/sys/block/{name}/stat: {' '.join(map(str, range(1, count + 1)))}\n")
    if count not in (4, 11, 15) and count < 17:
        assert "fields" in result.rejects["reason"].to_list()[0]
        return
    row = result.tables["block"].row(0, named=True)
    assert row["fields"] == count
    if count == 4:
        assert [row[n] for n in ("reads", "read_sectors", "writes", "write_sectors")] == [
            1,
            2,
            3,
            4,
        ]
        assert all(
            row[n] is None
            for n in FIELDS
            if n not in ("reads", "read_sectors", "writes", "write_sectors")
        )
    else:
        assert [row[name] for name in FIELDS] == [n if n <= count else None for n in range(1, 18)]
    assert ("more than 17" in " ".join(result.warnings)) == (count > 17)


def test_a_device_twice_in_one_snapshot_counts_once():
    result = parsed(SMALL.replace("#T 1795383361000000000 52000000000 1 b\n", ""))
    assert result.tables["block"].height == 2
    assert result.rejects["reason"].to_list() == [texts.DUPLICATE_DEVICE.format("vda")]


def test_without_times_a_snapshot_begins_where_a_device_comes_again():
    frame = block("".join(f"8 {n} sd{d} {LINE}\n" for n, d in enumerate("abacabd")))
    assert frame["snapshot"].to_list() == [0, 0, 1, 1, 2, 2, 2]
    assert frame["time"].is_null().all()


def test_idle_devices_repeat_their_line():
    assert block(f"{LINE}\n" * 3)["snapshot"].to_list() == [0, 1, 2]


def test_stamps_give_the_time():
    frame = block(f"TS 1281367519\n8 0 sda {LINE}\nTS 1281367520.5\n8 0 sda {LINE}\n")
    times = frame["time"].dt.to_string("%F %T%.f").to_list()
    assert times == ["2010-08-09 15:25:19", "2010-08-09 15:25:20.500"]


def test_a_last_line_without_its_end():
    """Its last number may lack digits; with sentinels or fewer fields than before it is refused."""
    assert block(f"vda: {LINE}").select("io_ticks_ms", "time_in_queue_ms").rows() == [(16, None)]
    assert parsed(SMALL[:-9]).rejects.height == 1
    longer = f"vda: {LINE} 0 0 0 0\n"
    assert parsed(longer + f"vda: {LINE}").rejects["line"].to_list() == [2]
    assert parsed("8 0 sda 1 2 3 4").rejects.height == 1


def test_a_log_of_two_snapshots_needs_no_times():
    result = parsed(f"8 0 sda {LINE}\n8 16 sdb {LINE}\n" * 2)
    assert result.snapshots == 2 and result.tables["block"]["time"].null_count() == 4


# ------------------------------------------------------------------------------------- devices and other words


@pytest.mark.parametrize(
    "line",
    [
        "intr 900 800 3 0 5 6 0 4 0 0 0 7",
        "softirq 900 0 21 12 39 11 23 21 22 0 13",
        "pgpgin 11 22 33 44",
        "cpu  7 1 5 88 0 0 0 1 0 0 12",
        "cpu0 7 1 5 88",
        "lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
        "ctxt 1795383360",
        " 1  0      0   6077     86   1528    0    0     1     2   11   20  0  0 100  0  0",
        "    35   38   38   40",
        "8 16 sdb 100 20 3000 40",
        "sdb 100 20 3000 40",
        "8 17 sdb1 100 20 3000 40",
        "   8       0 sda 100 2 3000 -40 50 6 700 80 0 90 120",
        "   8       0 sda 100 2 18446744073709551616 40 50 6 700 80 0 90 120",
        "   8       0 sda 100 2 3000 40.5 50 6 700 80 0 90 120",
        "   8       0 sda 100 2 3000 4O 50 6 700 80 0 90 120",
        "sda 0.50 1.20 3.40 0 5 6",
    ],
)
def test_a_line_of_another_file_is_a_reject(line):
    """Beside a disk and its partition with 11 fields."""
    result = parsed(f"8 0 sdc {LINE}\n8 1 sdc1 {LINE}\n{line}\n")
    assert result.tables["block"]["device"].to_list() == ["sdc", "sdc1"]
    assert result.rejects["line"].to_list() == [3]


@pytest.mark.parametrize(
    "title",
    [
        "sda", "sda:", "/dev/sda", "/sys/block/sda", "/sys/block/sda/stat", "sda/stat:", "[sda]",
        "=== sda ===", "--- sda", "Device: sda", "==> /sys/block/sda/stat <==", "# sda",
        "+ cat /sys/block/sda/stat", "[root@db1 ~]# sudo head -n 1 /sys/block/sda/stat", "$ cat sda/stat",
    ],
)  # fmt: skip
def test_a_name_on_its_own_line_names_the_next_one(title):
    other = title.replace("sda", "nvme0n1")
    result = parsed(f"{title}\n{LINE}\n{other}\n\n{LINE}\n" * 2)
    frame = result.tables["block"]
    assert frame.select("snapshot", "device").rows() == [
        (0, "sda"), (0, "nvme0n1"), (1, "sda"), (1, "nvme0n1")
    ]  # fmt: skip
    assert result.rejects.is_empty() and result.headers == 6


def test_lines_of_vmstat_without_its_names_are_no_device():
    line = " 1  0      0   6077     86   1528    0    0     1     2   11   20  {}  0\n"
    text = line.format("0  0 100  0") + line.format("7  1 92  0")
    assert parsed(text).rejects["reason"].to_list() == [texts.NOT_DEVICE_LINE] * 2
    assert block(line.format("7  1 12  0"))["discard_ms"].to_list() == [12]


def test_a_name_is_not_that_of_lines_further_below():
    result = parsed(f"sda\n{LINE}\nuptime:\n{LINE}\nsdb\nx\n{LINE}\n")
    assert result.tables["block"].select("line", "device").rows() == [(2, "sda")]
    assert result.rejects["line"].to_list() == [3, 4, 6, 7]


def test_partitions_of_old_kernels_have_4_fields_and_then_all_of_them():
    old = f"8 0 sda {LINE}\n8 1 sda1 1 2 3 4\n8 2 sda2 1 2 3 4\n"
    assert block(old)["fields"].to_list() == [11, 4, 4]
    result = parsed(f"{old}8 3 sda3 {LINE}\n")
    assert result.rejects.select("line", "reason").rows() == [
        (2, texts.FOUR_FIELDS),
        (3, texts.FOUR_FIELDS),
    ]


def test_impossible_numbers_in_flight_are_null():
    rows = LINE.replace("  0   16", " {}   16")
    result = parsed("".join(f"8 0 sda {rows.format(n)}\n" for n in (5, -1, 4294967295)))
    assert result.tables["block"]["in_flight"].to_list() == [5, None, None]
    assert result.tables["block"]["io_ticks_ms"].to_list() == [16, 16, 16]
    assert texts.in_flight_unknown(2) in result.warnings[-1]


IOSTAT = """\
Linux 6.1.0 (db1) \t11/22/26 \t_x86_64_\t(2 CPU)

Device             tps    kB_read/s    kB_wrtn/s    kB_dscd/s    kB_read    kB_wrtn    kB_dscd
sda               1.50        10.00        20.00         0.00       1000       2000          0
"""
VMSTAT = """\
procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----
 r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st
"""


@pytest.mark.parametrize("count", [4, 11, 15, 20])
def test_whole_numbers_under_the_column_names_of_iostat_are_no_counters(count):
    numbers = " ".join(str(7 * n) for n in range(1, count + 1))
    names = "Device            r/s     rkB/s   rrqm/s  %util"
    text = f"{LINE}\n{names}\nsda {numbers}\nvg-root {numbers}\nsdb {numbers}\n\nsdb {LINE}\n"
    result = parsed(text.removeprefix(f"{LINE}\n"))
    assert result.tables["block"].select("line", "device").rows() == [(6, "sdb")]
    assert result.rejects["line"].to_list() == [1, 2, 3, 4]
    bare = parsed(text.removesuffix(f"sdb {LINE}\n"))
    assert bare.tables["block"].select("line", "device").rows() == [(1, "?")]
    with pytest.raises(parse.UnknownFormatError, match="output of iostat"):
        parsed(f"{names}\nsda {numbers}\n")


@pytest.mark.parametrize(("text", "tool"), [(IOSTAT, "iostat"), (VMSTAT, "vmstat")])
def test_other_tools_are_refused_by_name(text, tool):
    with pytest.raises(parse.UnknownFormatError, match=f"output of {tool}"):
        parsed(text)


# ------------------------------------------------------------------------------------- times


def times(text, **given):
    frame = parse.parse_log("block", parse.log_from_text(text, "x.log"), **given).tables["block"]
    return frame["time"].dt.to_string("%F %T%.f").to_list()


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ("TS 1795383360.004 2026-11-22 21:36:00", "2026-11-22 21:36:00.004"),
        ("TS 1795383360", "2026-11-22 21:36:00"),
        ("1795383360.25", "2026-11-22 21:36:00.250"),
        ("1795383360250", "2026-11-22 21:36:00.250"),
        ("1795383360250000000", "2026-11-22 21:36:00.250"),
        ("Sun Nov 22 21:36:00 UTC 2026", "2026-11-22 21:36:00"),
        ("Sun Nov 22 09:36:00 PM UTC 2026", "2026-11-22 21:36:00"),
        ("Sun 22 Nov 2026 12:36:00 AM UTC", "2026-11-22 00:36:00"),
        ("Sun, 22 Nov 2026 22:36:00 +0100", "2026-11-22 21:36:00"),
        ("2026-11-22T16:06:00.5-05:30", "2026-11-22 21:36:00.500"),
        ("=== 2026-11-22 22:36:00 ===", "2026-11-22 21:36:00"),
        ("[2026/11/22_22:36:00]", "2026-11-22 21:36:00"),
        ("Sun Nov 22 22:36:00 CET 2026", "2026-11-22 21:36:00"),
        ("date: 22:36:00", "2026-11-22 21:36:00"),
    ],
)
def test_a_line_that_says_when_gives_the_time(stamp, time):
    """Local times and times of day are those of Berlin, on the day given."""
    text = f"{stamp}\n8 0 sda {LINE}\n8 16 sdb {LINE}\n"
    assert times(text, tz="Europe/Berlin", date="2026-11-22") == [time, time]
    assert parsed(text).headers == 1


def test_the_abbreviation_of_a_zone_needs_the_zone():
    result = parsed(f"Sun Nov 22 22:36:00 CET 2026\n8 0 sda {LINE}\n")
    assert result.tables["block"]["time"].to_list() == [None]
    assert result.warnings == [f"x.log: {texts.zone_abbreviation(['CET'])}"]


@pytest.mark.parametrize(
    "line",
    ["btime 1795383360", "99999999", "2026-11-22", "TS", "TS x", "timestamp 4294938251", "9200000000", "940000000"],
)  # fmt: skip
def test_other_lines_with_a_number_are_no_times(line):
    assert parsed(f"{line}\n8 0 sda {LINE}\n").rejects["line"].to_list() == [1]


def test_the_jiffies_of_schedstat_are_no_time():
    """They pass the seconds of our years too, on a machine with 32 bits."""
    result = parsed(f"version 16\ntimestamp 1795383360\n8 0 sda {LINE}\ntimestamp 1795383361\n")
    assert result.rejects["line"].to_list() == [1, 2]
    assert times(f"timestamp 1795383361\n8 0 sda {LINE}\n") == ["2026-11-22 21:36:01"]


@pytest.mark.parametrize(
    ("prefix", "time"),
    [
        ("[2026-11-22 22:36:0{}]", "2026-11-22 21:36:00"),
        ("2026-11-22T21:36:0{}.25Z", "2026-11-22 21:36:00.250"),
        ("179538336{}.25", "2026-11-22 21:36:00.250"),
        ("Sun Nov 22 21:36:0{} UTC 2026", "2026-11-22 21:36:00"),
        ("Nov 22 22:36:0{} db1 sampler[7]:", "2026-11-22 21:36:00"),
        ("22:36:0{}", "2026-11-22 21:36:00"),
    ],
)
def test_the_time_in_front_of_each_line_is_that_of_its_snapshot(prefix, time):
    text = "".join(
        f"{prefix.format(second)}    8 {n} sd{d} {LINE}\n"
        for second in (0, 1, 2)
        for n, d in enumerate("ab")
    )
    got = times(text, tz="Europe/Berlin", date="2026-11-22")
    assert got[:2] == [time, time] and got[2:] == [
        time.replace("36:00", f"36:0{second}") for second in (1, 1, 2, 2)
    ]
    without_date = parsed(text)
    assert (without_date.tables["block"]["time"].null_count() == 0) == (
        "2026" in prefix or "17" in prefix
    )
    assert not any(texts.NO_TIMES in warning for warning in without_date.warnings)


def test_stamps_may_follow_their_snapshot():
    rows = f"8 0 sda {LINE}\n8 16 sdb {LINE}\n"
    text = f"{rows}TS 1795383360\n{rows}TS 1795383361\n"
    assert times(text) == ["2026-11-22 21:36:00"] * 2 + ["2026-11-22 21:36:01"] * 2
    assert block(text)["snapshot"].to_list() == [0, 0, 1, 1]


def test_a_device_again_under_one_stamp_begins_a_snapshot_without_a_time():
    rows = f"8 0 sda {LINE}\n8 16 sdb {LINE}\n"
    text = f"TS 1795383360\n{rows}{rows}TS 1795383362\n8 0 sda {LINE}\n"
    frame = block(text)
    assert frame["snapshot"].to_list() == [0, 0, 1, 1, 2]
    assert frame["time"].is_null().to_list() == [False, False, True, True, False]


# ------------------------------------------------------------------------------------- printed, read back

WHOLE, PARTITIONS = ("vda", "dm-0", "loop1", "cciss/c0d0"), ("sda1", "nvme0n1p1", "cciss/c0d0p2")


def counters(names, counts):
    """By device: numbers as the kernel prints them."""
    numbers = st.sampled_from(counts).flatmap(
        lambda count: st.lists(st.integers(0, 2**31 - 1), min_size=count, max_size=count)
    )
    return st.dictionaries(st.sampled_from(names), numbers)


def snapshots_of(counts_of_partitions):
    both = st.tuples(counters(WHOLE, [11, 15, 17]), counters(PARTITIONS, counts_of_partitions))
    return st.lists(both.map(lambda two: two[0] | two[1]), min_size=1, max_size=4)


@settings(deadline=None, max_examples=40)
@given(st.one_of(snapshots_of([4]), snapshots_of([11, 17])), st.booleans())
def test_snapshots_printed_are_read_back(snapshots, as_diskstats):
    text, known = "", []
    for seq, devices in enumerate(snapshots):
        text += f"#T {1795383360 + seq}000000000 {seq} {seq} b\n"
        for minor, (device, numbers) in enumerate(devices.items()):
            row = " ".join(f"{number:8d}" for number in numbers)
            path = f"/sys/block/{device.replace('/', '!')}/stat: {row}"
            text += (f"   8 {minor:7d} {device} {row}" if as_diskstats else path) + "\n"
            known.append((seq, device, len(numbers), numbers[0], numbers[-1]))
    result = parsed(text + "#END x\n")
    assert not result.rejects.height and result.snapshots == len(snapshots)
    last = {4: "write_sectors", 11: "time_in_queue_ms", 15: "discard_ms", 17: "flush_ms"}
    rows = result.tables["block"].to_dicts()
    assert [
        (row["snapshot"], row["device"], row["fields"], row["reads"], row[last[row["fields"]]])
        for row in rows
    ] == known


# ----------------------------------------------------------------------------- cut, dropped, doubled, mixed


def test_cut_at_every_byte():
    recorded = (
        "".join(f"#T {t} {t} {t} b\nvda: 1{t} 2 33 44 5 6 7 8 9 10 11\n" for t in range(3))
        + "#END x\n"
    )
    bare = "8 0 sda 10 1 80 9 5 1 40 7 0 16 16 1 2 3 44 5 66\n8 1 sda1 10 1 80 9 5 1 40 7 0 16 16\n8 2 b 9 8 7 65\n"
    for text in (recorded, bare):
        whole = rows_by_line(parsed(text))
        for at in range(len(text)):
            check_cut("block", text, at, whole)


@pytest.mark.parametrize("path", goldens("block"), ids=lambda p: p.stem)
def test_cut_around_every_line_end(path):
    text = path.read_text()
    whole = rows_by_line(read("block", path))
    for at in around_line_ends(text):
        check_cut("block", text, at, whole, **options(path))


@pytest.mark.parametrize(
    "path", [path for path in goldens("block") if path.stem != "trouble_in_the_middle"]
)
def test_a_line_dropped_or_doubled_spoils_no_other_row(path):
    text = path.read_text()

    def known(frame):
        return set(
            values(frame.drop("time", "monotonic_ns", "seq", "boot_id", "device", "flush_ms"))
        )

    whole = known(read("block", path).tables["block"])
    for number, less in without_each_line(text):
        assert len(whole - known(parse_or_refuse("block", less).tables["block"])) <= 1, number
    for number, more in with_each_line_repeated(text):
        assert known(parse_or_refuse("block", more).tables["block"]) - whole <= {None}, number


PIECES = [
    *SMALL.splitlines(keepends=True), LINE + "\n", f"8 0 sda {LINE}\n", "TS 1281367519\n", "TS ",
    "==> a/stat <==\n", "\n", "\r", "\0", "  12 ", "vda: ", "-1 ", "#GAP\n", "é", "99999999999999999999 ",
]  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(random_lines(PIECES))
def test_any_mixture_is_read_or_refused(text):
    parse_or_refuse("block", text)
