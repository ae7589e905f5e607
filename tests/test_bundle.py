"""The raw run on disk: what is read from it, and what is said about a bad one."""

import copy
import gzip
import json
import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.raw import (
    RawRunError,
    check_study_names,
    find_run,
    find_runs,
    find_studies,
    is_safe_name,
    log_kind,
    select_runs,
)

RUN = {
    "format": "queuevisor-run/1",
    "study": "pair",
    "server": "first",
    "run": "both-a",
    "window": {"start_ns": 1_790_000_000_000_000_000, "end_ns": 1_790_000_120_500_000_000},
    "before": {"start_ns": 1_789_999_960_000_000_000, "end_ns": 1_789_999_990_000_000_000},
    "accelerator": "tcg",
    "roles": {
        "client": {"hostname": "c", "clock_offset_ns": 0, "tools": {"httperf": "httperf-0.9.0"}},
        "host": {"hostname": "h", "boot_id": "b1", "clock_offset_ns": -1500,
                 "clock_uncertainty_ns": 900, "time_zone": "UTC"},
        "web": {"hostname": "w", "boot_id": "b2", "clock_offset_ns": 2_000_000},
        "db": {"hostname": "d", "boot_id": "b3", "clock_offset_ns": 0},
    },
    "virtual_servers": {
        "web": {"role": "web",
                "workload": {"kind": "open", "rate_per_s": 5.0, "arrivals": "even",
                             "request": "HTTP request", "log": "client/httperf.log",
                             "start_ns": 1_790_000_000_100_000_000,
                             "end_ns": 1_790_000_120_300_000_000},
                "server_processes": "^apache2$", "qemu_process": "guest=web[, ]",
                "virtual_disk": "vda", "host_disk": "loop1"},
        "db": {"role": "db",
               "workload": {"kind": "closed", "population": 16, "think_time_s": 0.0,
                            "request": "transaction", "log": "client/sysbench.log"},
               "server_processes": "^(mariadbd|mysqld)$", "qemu_process": "guest=db[, ]",
               "virtual_disk": "vda", "host_disk": "loop2"},
    },
}  # fmt: skip

STUDY = {
    "format": "queuevisor-study/1", "study": "pair", "title": "Two servers",
    "servers": {"second": {}, "first": {}}, "virtual_servers": {"web": {}, "db": {}},
    "workloads": {}, "runs": {"first": {"both-a": {"purpose": "case-study"}}},
    "case_study": {"web": "both-a", "db": "both-a"}, "held_out": ["first/both-a"],
}  # fmt: skip

FACTS = {"format": "queuevisor-facts/1", "role": "host", "clock_ticks_per_s": 100}


@pytest.fixture
def raw(tmp_path):
    raw = tmp_path / "raw"
    folder = raw / "pair/first/both-a"
    for role in ("host", "web", "db", "client"):
        (folder / role).mkdir(parents=True)
        (folder / role / "facts.json").write_text(json.dumps(FACTS))
        if role != "client":
            for kind in ("top", "iotop", "block", "tasks"):
                (folder / role / f"{kind}.log").write_text("")
    (folder / "web/access.log").write_text("")
    (folder / "db/general.log.zst").write_bytes(b"")
    (folder / "client/httperf.log").write_text("")
    (folder / "client/sysbench.log.gz").write_bytes(gzip.compress(b""))
    (folder / "run.json").write_text(json.dumps(RUN, indent=1))
    (raw / "pair/study.json").write_text(json.dumps(STUDY))
    (raw / "pair/second").mkdir()
    (raw / "published").mkdir()
    return raw


def the_run(raw):
    return find_run(raw, "pair", "first", "both-a")


def changed(raw, *path, value=None, delete=False):
    manifest = copy.deepcopy(RUN)
    here = manifest
    for key in path[:-1]:
        here = here[key]
    if delete:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    (raw / "pair/first/both-a/run.json").write_text(json.dumps(manifest))
    return the_run(raw)


def test_a_good_run_is_read_and_has_no_problems(raw):
    run = the_run(raw)
    assert run.problems() == []
    assert run.missing() == []
    assert run.id == "pair/first/both-a"
    assert run.window.duration_s == 120.5
    assert run.idle_before.duration_s == 30.0
    assert run.accelerator == "tcg"
    assert run.clock_offset_ns("host") == -1500
    assert run.clock_offset_ns("client") == 0
    assert run.clock_offset_ns("nobody") is None
    assert run.roles["host"].clock_uncertainty_ns == 900
    web, db = run.virtual_servers["web"], run.virtual_servers["db"]
    assert (web.workload.kind, web.workload.rate_per_s, web.workload.arrivals) == (
        "open",
        5.0,
        "even",
    )
    assert web.workload.window.duration_s == pytest.approx(120.2)
    assert (db.workload.kind, db.workload.population, db.workload.window) == ("closed", 16, None)
    assert (db.role, db.virtual_disk, db.host_disk) == ("db", "vda", "loop2")
    assert run.facts("host")["clock_ticks_per_s"] == 100
    assert run.facts("nobody") == {}


def test_logs_are_found_whatever_their_compression(raw):
    run = the_run(raw)
    names = [log.name for log in run.logs()]
    assert names == sorted(names)
    assert len(names) == 3 * 4 + 4
    assert run.log("db", "general").name == "db/general.log.zst"
    assert run.client_log("db").name == "client/sysbench.log.gz"
    assert run.client_log("web").kind == "httperf"
    assert run.client_log("nobody") is None
    assert run.log("host", "access") is None
    assert {run.name_of(path) for path in run.files()} == {
        *names, "run.json", *(f"{r}/facts.json" for r in ("host", "web", "db", "client"))
    }  # fmt: skip


def test_a_run_and_its_study_are_found_by_every_selection(raw):
    (study,) = find_studies(raw)
    assert study.problems() == []
    assert study.servers == ["second", "first"]
    assert study.title == "Two servers"
    assert study.held_out == ("first/both-a",)
    assert study.case_study == {"web": "both-a", "db": "both-a"}
    assert study.purpose("first", "both-a") == "case-study"
    assert study.purpose("first", "both-b") is None
    assert [run.id for run in find_runs(raw)] == ["pair/first/both-a"]
    assert find_runs(raw, study="other") == []
    assert find_runs(raw, server="second") == []
    assert len(find_runs(raw, run="both-a")) == 1


@pytest.mark.parametrize(
    "wanted",
    [
        "pair",
        "pair/",
        "pair/first",
        "pair/first/",
        "pair/first/both-a",
        "pair/fi",
        "pair/first/both-",
    ],
)
def test_select_takes_ids_and_their_beginnings(raw, wanted):
    assert [run.id for run in select_runs(raw, [wanted])] == ["pair/first/both-a"]
    assert [run.id for run in select_runs(raw, [wanted, f"{raw}/pair"])] == ["pair/first/both-a"]


def test_select_without_ids_gives_all_and_prefers_whole_names(raw):
    for name in ("both-ab", "db-1", "db-16"):
        (raw / "pair/first" / name).mkdir()
    assert len(select_runs(raw)) == 4
    assert [r.run for r in select_runs(raw, ["pair/first/db-1"])] == ["db-1"]
    assert [r.run for r in select_runs(raw, ["pair/first/db-"])] == ["db-1", "db-16"]
    assert [r.run for r in select_runs(raw, ["pair/first/db-16", "pair/first/both-a"])] == [
        "both-a", "db-16"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wanted", ["pair/first/both-b", "piar", "", "/", "../pair", "pair/second/"]
)
def test_an_unknown_id_is_an_error_that_names_the_nearest(raw, wanted):
    with pytest.raises(RawRunError) as error:
        select_runs(raw, [wanted])
    if wanted in ("pair/first/both-b", "piar"):
        assert "nearest: pair" in str(error.value)
    assert str(raw) in str(error.value)


def test_no_folder_of_raw_runs_is_an_error(tmp_path):
    with pytest.raises(RawRunError, match="does not exist"):
        find_studies(tmp_path / "nowhere")
    with pytest.raises(RawRunError, match="has no runs"):
        find_run(tmp_path, "a", "b", "c")


def test_a_missing_log_is_a_problem_and_no_error(raw):
    (raw / "pair/first/both-a/host/iotop.log").unlink()
    (raw / "pair/first/both-a/db/general.log.zst").unlink()
    (raw / "pair/first/both-a/client/httperf.log").unlink()
    run = the_run(raw)
    assert [(lost.role, lost.kind) for lost in run.missing()] == [
        ("client", "httperf"), ("db", "general"), ("host", "iotop")
    ]  # fmt: skip
    assert run.problems() == [
        "client/httperf.log: missing", "db/general.log: missing", "host/iotop.log: missing"
    ]  # fmt: skip
    assert run.client_log("web") is None


def test_an_idle_virtual_server_needs_no_server_log(raw):
    run = changed(raw, "virtual_servers", "db", "workload", delete=True)
    (raw / "pair/first/both-a/db/general.log.zst").unlink()
    (raw / "pair/first/both-a/client/sysbench.log.gz").unlink()
    run = the_run(raw)
    assert run.virtual_servers["db"].workload is None
    assert run.problems() == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "run.json, line 1, column 1: not JSON: Expecting value"),
        (b'{\n "format": "queuevisor-run/1",\n "window": }', "run.json, line 3, column 12: not JSON"),
        (b'{"a": NaN}', "run.json: not JSON: NaN"),
        (b"[1]", "run.json, line 1: must be a JSON object (got list)"),
        (b'{"format":\n "\xff"}', "run.json, line 2: not UTF-8 text (byte 14 of the file)"),
        (b"[" * 200_000, "run.json: not JSON: nested too deeply"),
        (b"{\"a\": " + b"9" * 9000 + b"}", "run.json: not JSON"),
    ],
)  # fmt: skip
def test_a_broken_manifest_is_told_with_its_place_and_the_logs_are_still_there(raw, text, sentence):
    (raw / "pair/first/both-a/run.json").write_bytes(text)
    run = the_run(raw)
    assert any(problem.startswith(sentence) for problem in run.problems()), run.problems()
    assert run.window is None
    assert run.virtual_servers == {}
    assert len(run.logs()) == 16


def test_a_run_without_run_json_is_a_problem(raw):
    (raw / "pair/first/both-a/run.json").unlink()
    assert the_run(raw).problems() == ["run.json: missing"]


def test_a_byte_order_mark_and_a_key_told_twice(raw):
    text = json.dumps(RUN).replace('"run":', '"run": "other", "run":', 1)
    (raw / "pair/first/both-a/run.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert the_run(raw).problems() == ['run.json: duplicate key "run" in one object']


CASES = [
    (("format",), "queuevisor-run/2", 'run.json: format is "queuevisor-run/2"; this version reads'),
    (("format",), None, "run.json: format is null; this version reads"),
    (("run",), "other", 'run.json: run is "other" but the folder is "both-a"'),
    (("study",), "../x", 'run.json: study is not a safe name: "../x"'),
    (("server",), "<script>", 'run.json: server is not a safe name: "<script>"'),
    (("window",), None, "run.json: window is missing"),
    (("window",), [1, 2], "run.json: window must be a JSON object (got [1, 2])"),
    (("window", "end_ns"), "late", 'run.json: window.end_ns must be a whole number from 0 (got "late")'),
    (("window", "end_ns"), 1.5, "run.json: window.end_ns must be a whole number"),
    (("window", "end_ns"), True, "run.json: window.end_ns must be a whole number"),
    (("window", "end_ns"), 2**63, "run.json: window.end_ns must be a whole number"),
    (("window", "end_ns"), 5, "run.json: window ends (5) before it starts"),
    (("accelerator",), "xen", 'run.json: accelerator must be one of kvm, tcg (got "xen")'),
    (("roles", "host"), 3, "run.json: roles.host must be a JSON object (got 3)"),
    (("roles", "host", "clock_offset_ns"), None, "run.json: roles.host.clock_offset_ns is missing"),
    (("roles", "../../etc"), {}, 'run.json: roles has an unsafe name: "../../etc"'),
    (("virtual_servers", "db"), [], "run.json: virtual_servers.db must be a JSON object (got [])"),
    (("virtual_servers", "db", "role"), "..", 'run.json: virtual_servers.db.role is not a safe name: ".."'),
    (("virtual_servers", "db", "role"), "dd", 'run.json: virtual_servers.db.role is "dd", which is not a key of roles'),
    (("virtual_servers", "a/b"), {}, 'run.json: virtual_servers has an unsafe name: "a/b"'),
    (("virtual_servers", "db", "server_processes"), "(", "run.json: virtual_servers.db.server_processes is not a valid regular"),
    (("virtual_servers", "db", "workload", "kind"), "mixed", "run.json: virtual_servers.db.workload.kind must be one of"),
    (("virtual_servers", "db", "workload", "population"), 0, "run.json: virtual_servers.db.workload.population must be"),
    (("virtual_servers", "web", "workload", "rate_per_s"), -1, "run.json: virtual_servers.web.workload.rate_per_s must"),
    (("virtual_servers", "web", "workload", "log"), "../../../etc/passwd", "run.json: virtual_servers.web.workload.log must have the form role/name.log"),
    (("virtual_servers", "web", "workload", "log"), "/etc/passwd", "run.json: virtual_servers.web.workload.log must have the form"),
]  # fmt: skip
# ruff: noqa: E501


@pytest.mark.parametrize(("path", "value", "sentence"), CASES)
def test_what_is_wrong_is_told_by_its_place_in_the_manifest(raw, path, value, sentence):
    run = changed(raw, *path, value=value)
    assert any(problem.startswith(sentence) for problem in run.problems()), run.problems()
    assert len(run.logs()) == 16


def test_strange_files_are_told_and_never_read(raw):
    folder = raw / "pair/first/both-a"
    (folder / "host/top.log.1").write_text("old")
    (folder / "host/top.log.gz").write_bytes(b"")
    (folder / "host/notes.txt").write_text("no log")
    (folder / "<script>").mkdir()
    (folder / "web/access.log").unlink()
    os.mkfifo(folder / "web/access.log")
    assert the_run(raw).problems() == [
        '"<script>": unsafe name; folder not read',
        "host/top.log.1: not the name of a log; not read",
        "host/top.log.gz: not read; top.log exists too",
        "web/access.log: not a regular file; not read",
        "web/access.log: missing",
    ]
    assert the_run(raw).log("host", "top").name == "host/top.log"


def test_broken_facts_are_a_problem(raw):
    folder = raw / "pair/first/both-a"
    (folder / "web/facts.json").write_text("{")
    (folder / "db/facts.json").write_text('{"format": "queuevisor-facts/9"}')
    (folder / "host/facts.json").unlink()
    assert the_run(raw).problems() == [
        'db/facts.json: format is "queuevisor-facts/9"; this version reads queuevisor-facts/1',
        "host/facts.json: missing",
        "web/facts.json, line 1, column 2: not JSON: Expecting property name enclosed in double quotes",
    ]
    assert the_run(raw).facts("web") == {}


def test_problems_of_a_study(raw):
    (raw / "pair/first/a b").mkdir()
    (raw / "pair/.tmp-x").mkdir()
    study = {**STUDY, "study": "peer", "held_out": ["first/none"], "case_study": {"web": "none"},
             "runs": {"first": {"both-a": {}, "both-b": {}}}}  # fmt: skip
    (raw / "pair/study.json").write_text(json.dumps(study))
    assert find_studies(raw)[0].problems() == [
        'study.json: study is "peer" but the folder is "pair"; the name of the folder is used',
        'first/"a b": unsafe name; folder not read',
        'study.json: runs lists runs that do not exist: "first/both-b"',
        'study.json: held_out lists runs that do not exist: "first/none"',
        'study.json: case_study.web is "none", which does not exist',
    ]
    (raw / "pair/study.json").write_text("nonsense")
    (study,) = find_studies(raw)
    assert study.problems()[0].startswith("study.json, line 1, column 1: not JSON")
    assert (study.title, study.held_out, study.case_study) == ("pair", (), {})


def test_a_study_whose_name_is_not_plain_is_told(raw):
    (raw / "a study").mkdir()
    (raw / "a study/study.json").write_text("{}")
    assert check_study_names(raw) == ['"a study": unsafe name; study not read']
    assert [study.name for study in find_studies(raw)] == ["pair"]


@given(st.text(alphabet=string.printable + "é\0/\\", max_size=20))
def test_a_plain_name_never_leaves_its_folder(name):
    if is_safe_name(name):
        assert "/" not in name and "\0" not in name and not name.startswith(".")
        assert os.path.normpath(f"/a/{name}") == f"/a/{name}"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(value=JSON, place=st.sampled_from([path for path, _, _ in CASES]))
def test_any_json_at_any_place_is_told_or_read_and_never_raises(tmp_path_factory, value, place):
    raw = tmp_path_factory.mktemp("any")
    folder = raw / "pair/first/both-a"
    folder.mkdir(parents=True)
    (raw / "pair/study.json").write_text(json.dumps({**STUDY, place[0]: value}).replace("NaN", "0"))
    run = changed(raw, *place, value=value)
    assert all(
        "\n" not in problem for problem in [*run.problems(), *find_studies(raw)[0].problems()]
    )
    assert isinstance(run.missing(), list)


# --- rotated logs


def rotate(raw, role, stem, names):
    folder = raw / "pair/first/both-a" / role
    (folder / f"{stem}.log").unlink()
    for name in names:
        (folder / name).write_bytes(b"")


def test_pieces_are_one_log_in_the_order_of_their_numbers(raw):
    names = [f"top.{k:05d}.log" for k in (1, 2, 3, 10, 9, 8, 7, 6, 5, 4, 100000, 99999)]
    rotate(raw, "host", "top", [f"{name}.zst" for name in names[:-2]])
    run = the_run(raw)
    log = run.log("host", "top")
    assert (log.name, log.kind) == ("host/top.log", "top")
    assert [p.name for p in log.files] == [f"top.{k:05d}.log.zst" for k in range(1, 11)]
    assert run.problems() == [] and run.missing() == []
    assert set(log.files) <= set(run.files()), "what a run's numbers come from"
    rotate_more = raw / "pair/first/both-a/host"
    for k in range(11, 100000, 20000):
        (rotate_more / f"top.{k:05d}.log").write_bytes(b"")
    (rotate_more / "top.100000.log").write_bytes(b"")
    assert [p.name for p in the_run(raw).log("host", "top").files][-1] == "top.100000.log"


def test_a_piece_that_is_missing_is_told(raw):
    names = ["top.00002.log.gz", "top.00003.log", "top.00007.log", "top.00009.log.zst"]
    rotate(raw, "host", "top", names)
    run = the_run(raw)
    assert run.problems() == [
        "host/top.00001.log: missing: gap in the recording",
        "host/top.00004.log to top.00006.log: missing: gap in the recording",
        "host/top.00008.log: missing: gap in the recording",
    ]
    assert [p.name for p in run.log("host", "top").files] == names


def test_a_piece_in_two_forms_and_a_whole_log_beside_pieces(raw):
    rotate(raw, "web", "block", ["block.00001.log", "block.00001.log.zst", "block.log"])
    run = the_run(raw)
    assert [p.name for p in run.log("web", "block").files] == ["block.00001.log"]
    assert run.problems() == [
        "web/block.00001.log.zst: not read; block.00001.log exists too",
        "web/block.log: not read; segments of a rotated log exist too",
    ]
    assert log_kind("web/block.00001.log.zst") == "block"
    assert log_kind("top.1.log") is None and log_kind("top.log.1") is None
