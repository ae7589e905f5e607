"""Manifests that are broken or hold invalid values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_runs import FACTS, RUN, STUDY, changed, the_run

from pipeline.raw import (
    find_studies,
)
from pipeline.raw.manifest import MAX_FACTS_BYTES, MAX_MANIFEST_BYTES, pattern_problem


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "run.json, line 1, column 1: not JSON: Expecting value"),
        (b'{\n "format": "queuevisor-run/1",\n "window": }', "run.json, line 3, column 12: not JSON"),
        (b'{"a": NaN}', "run.json: not JSON: NaN"),
        (b"[1]", "run.json, line 1: must be a JSON object (got list)"),
        (b'{"format":\n "\xff"}', "run.json, line 2: not UTF-8 text (byte 14 of the file)"),
        (b"[" * 200_000, "run.json: not JSON: nested too deep"),
        (b"{\"a\": " + b"9" * 9000 + b"}", "run.json: not JSON"),
    ],
)  # fmt: skip
def test_a_broken_manifest_is_a_problem_with_its_place_and_the_logs_are_found(raw, text, sentence):
    (raw / "pair/first/both-a/run.json").write_bytes(text)
    run = the_run(raw)
    assert any(problem.startswith(sentence) for problem in run.problems()), run.problems()
    assert run.window is None
    assert run.virtual_servers == {}
    assert len(run.logs()) == 16


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ('"\\ud800"', "run.json: notes is not valid Unicode"),
        ('["a", "\\udfff"]', "run.json: notes.1 is not valid Unicode"),
        ('{"\\ud83d": 1}', 'run.json: notes."\\ud83d" is not valid Unicode'),
        ("-1e400", "run.json: notes is a number beyond the range"),
        ("[" * 500 + "]" * 500, "is nested too deep"),
    ],
)
def test_a_value_that_no_manifest_may_hold_is_left_out_and_its_key_is_named(raw, value, sentence):
    text = json.dumps({**RUN, "notes": "<>"}).replace('"<>"', value)
    (raw / "pair/first/both-a/run.json").write_text(text)
    run = the_run(raw)
    (problem,) = run.problems()
    assert problem.startswith("run.json: notes") and sentence in problem
    assert run.window is not None and not any("\ud800" <= c <= "\udfff" for c in str(run.notes))


@pytest.mark.parametrize(
    ("name", "limit"), [("run.json", MAX_MANIFEST_BYTES), ("host/facts.json", MAX_FACTS_BYTES)]
)
def test_a_larger_manifest_is_not_read(raw, name, limit):
    path = raw / "pair/first/both-a" / name
    path.write_bytes(path.read_bytes() + b" " * (limit - path.stat().st_size))
    assert the_run(raw).problems() == []
    path.write_bytes(path.read_bytes() + b" ")
    (problem,) = the_run(raw).problems()
    assert problem == f"{name}: cannot be read: larger than {limit >> 20} MiB"


def test_a_byte_order_mark_and_a_duplicate_key(raw):
    text = json.dumps(RUN).replace('"run":', '"run": "other", "run":', 1)
    (raw / "pair/first/both-a/run.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert the_run(raw).problems() == ['run.json: duplicate key "run" in one object']


DB, WEB = "run.json: virtual_servers.db", "run.json: virtual_servers.web"
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
    (("virtual_servers", "db", "role"), "..", f'{DB}.role is not a safe name: ".."'),
    (("virtual_servers", "db", "role"), "dd", f'{DB}.role is "dd", which is not a key of roles'),
    (("virtual_servers", "a/b"), {}, 'run.json: virtual_servers has an unsafe name: "a/b"'),
    (("virtual_servers", "db", "server_processes"), "(", f"{DB}.server_processes is not a valid regular"),
    (("virtual_servers", "db", "workload", "kind"), "mixed", f"{DB}.workload.kind must be one of"),
    (("virtual_servers", "db", "workload", "population"), 0, f"{DB}.workload.population must be"),
    (("virtual_servers", "web", "workload", "rate_per_s"), -1, f"{WEB}.workload.rate_per_s must"),
    (("virtual_servers", "web", "workload", "log"), "../../etc/passwd", f"{WEB}.workload.log must have the form"),
    (("window", "end_ns"), 2**63 - 1, "run.json: window is 7.4"),
    (("before", "end_ns"), 1_790_000_060_000_000_000, "run.json: before ends after window has started"),
    (("roles", "host", "clock_offset_ns"), 2**63 - 1, "run.json: roles.host.clock_offset_ns must be"),
    (("roles", "host", "clock_uncertainty_ns"), 2**62, "run.json: roles.host.clock_uncertainty_ns must be"),
    (("roles", "host", "clock"), {"before": {"offset_ns": -1400, "uncertainty_ns": 20}},
     "run.json: roles.host.clock_offset_ns is -1500, but clock has -1420 to -1380"),
    (("roles", "host", "time_zone"), "Mars/Phobos", "run.json: roles.host.time_zone must be"),
    (("roles", "host", "tools"), {"top": 4}, "run.json: roles.host.tools.top must be a string"),
    (("roles",), {f"r{n}": {"clock_offset_ns": 0} for n in range(129)}, "run.json: roles has 129 entries"),
    (("virtual_servers",), {f"v{n}": {"role": "db"} for n in range(1000)}, "run.json: virtual_servers has 1,000"),
    (("virtual_servers", "db", "host_disk"), "../../etc/passwd", f"{DB}.host_disk must be the name"),
    (("virtual_servers", "db", "host_disk"), "", f"{DB}.host_disk must be the name"),
    (("virtual_servers", "db", "host_disk"), None, f"{DB}.host_disk is null"),
    (("virtual_servers", "db", "server_processes"), "", f"{DB}.server_processes matches the empty text"),
    (("virtual_servers", "db", "server_processes"), "a|b*", f"{DB}.server_processes matches the empty text"),
    (("virtual_servers", "db", "server_processes"), "a(?=b)", f"{DB}.server_processes is not a valid regular"),
    (("virtual_servers", "db", "server_processes"), r"(a)\1", f"{DB}.server_processes is not a valid regular"),
    (("virtual_servers", "db", "server_processes"), r"\N{DIGIT ONE}", f"{DB}.server_processes is not a valid"),
    (("virtual_servers", "db", "qemu_process"), r"(\w{500}){500}", f"{DB}.qemu_process is not a valid regular"),
    (("virtual_servers", "db", "qemu_process"), "a" * 5_000, f"{DB}.qemu_process is not a valid regular"),
    (("virtual_servers", "db", "workload", "population"), 2**62, f"{DB}.workload.population must be"),
    (("virtual_servers", "db", "workload", "population"), 10**7, f"{DB}.workload.population must be"),
    (("virtual_servers", "db", "workload", "think_time_s"), 1e299, f"{DB}.workload.think_time_s must be"),
    (("virtual_servers", "db", "workload", "think_time_s"), 121, f"{DB}.workload.think_time_s is 121 s, and"),
    (("virtual_servers", "db", "workload", "log"), "client/httperf.log", f"{DB}.workload.log is the log of web"),
    (("virtual_servers", "web", "workload", "log"), "host/top.log", f"{WEB}.workload.log must be a log of a load"),
    (("virtual_servers", "web", "workload", "rate_per_s"), 1e299, f"{WEB}.workload.rate_per_s must"),
    (("virtual_servers", "web", "workload", "rate_per_s"), 0, f"{WEB}.workload.rate_per_s must"),
    (("virtual_servers", "web", "workload", "start_ns"), 0, f"{WEB}.workload is 1.79e+09 s long"),
    (("virtual_servers", "web", "workload", "start_ns"), 1_789_999_960_000_000_000, f"{WEB}.workload is not inside"),
    (("virtual_servers", "web", "workload", "log"), "/etc/passwd", f"{WEB}.workload.log must have the form"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "sentence"), CASES)
def test_an_invalid_value_is_a_problem_with_its_place(raw, path, value, sentence):
    run = changed(raw, *path, value=value)
    assert any(problem.startswith(sentence) for problem in run.problems()), run.problems()
    assert len(run.logs()) == 16


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


FACTS_CASES = [
    ("clock_ticks_per_s", 0), ("clock_ticks_per_s", 100.5), ("kernel_hz", -1), ("cpus", "4"), ("interval_s", 0),
    ("memory_bytes", 2**62), ("page_bytes", 4095), ("tools", ["top"]), ("tools", {"top": 4}), ("boot_id", 3),
    ("boot_id", "another"), ("role", "web"), ("time_zone", "Mars/Phobos"), ("block_devices", "x"),
    ("open_file_limit", [None, "x"]), ("cpu_frequency", []), ("commands", 7),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), FACTS_CASES)
def test_an_invalid_fact_is_a_problem_with_its_key_and_is_left_out(raw, key, value):
    path = raw / "pair/first/both-a/host/facts.json"
    path.write_text(json.dumps({**FACTS, "boot_id": "b1", key: value}))
    run = the_run(raw)
    (problem,) = run.problems()
    assert problem.startswith(f"host/facts.json: {key}"), problem
    assert run.facts("host")[key] != value or key in ("boot_id", "role")


@given(value=JSON, place=st.sampled_from([path for path, _, _ in CASES]))
def test_any_json_at_any_place_is_read_or_a_problem(tmp_path_factory, value, place):
    raw = tmp_path_factory.mktemp("any")
    folder = raw / "pair/first/both-a"
    folder.mkdir(parents=True)
    (raw / "pair/study.json").write_text(json.dumps({**STUDY, place[0]: value}).replace("NaN", "0"))
    run = changed(raw, *place, value=value)
    (folder / "host").mkdir()
    facts = {**FACTS, place[-1]: value, "tools": value, "cpus": value}
    (folder / "host/facts.json").write_text(json.dumps(facts).replace("NaN", "0"))
    for name in dir(type(run)):
        if isinstance(getattr(type(run), name), property):
            getattr(run, name)
    assert isinstance(run.facts("host"), dict)
    assert all(
        "\n" not in problem for problem in [*run.problems(), *find_studies(raw)[0].problems()]
    )
    assert isinstance(run.missing(), list)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"x\Z", "unrecognized escape sequence"), ("x\n\nerror: none\nThis error occurred\n(", "unclosed group"),
        ("(a{900}){900}", "Compiled regex exceeds size limit of 10485760 bytes."),
    ],
)  # fmt: skip
def test_the_engines_own_reason_is_one_line(pattern, reason):
    assert pattern_problem(pattern) == f"is not a valid regular expression: {reason}"
