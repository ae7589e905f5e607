"""Manifests that are broken or hold invalid values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_runs import RUN, STUDY, changed, the_run

from pipeline.raw import (
    find_studies,
)
from pipeline.raw.manifest import MAX_FACTS_BYTES, MAX_MANIFEST_BYTES


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


@given(value=JSON, place=st.sampled_from([path for path, _, _ in CASES]))
def test_any_json_at_any_place_is_read_or_a_problem(tmp_path_factory, value, place):
    raw = tmp_path_factory.mktemp("any")
    folder = raw / "pair/first/both-a"
    folder.mkdir(parents=True)
    (raw / "pair/study.json").write_text(json.dumps({**STUDY, place[0]: value}).replace("NaN", "0"))
    run = changed(raw, *place, value=value)
    assert all(
        "\n" not in problem for problem in [*run.problems(), *find_studies(raw)[0].problems()]
    )
    assert isinstance(run.missing(), list)
