"""Patterns of a plan: what the client accepts both engines compile, and with the same meaning."""

import json
import pathlib
import re
import warnings

import experiment_plan
import polars as pl
import pytest
import regex_check
from hypothesis import given, settings
from hypothesis import strategies as st

from ..helpers import CLIENT

ACCEPTED = [
    "^apache2$", "^(httpd|apache2)$", "guest=web[, ]", "guest=(web|db)[, ]", "^(mariadbd|mysqld)$", "", ".", "a.c",
    "a*", "a+", "a?", "a*?", "a+?", "a??", "a{2}", "a{2,}", "a{2,5}", "a{2,5}?", "a{0}", "a{1000}", "(a{10}){100}",
    "(?:a|b)+", "(?P<name>x)y", "()", "(|a)", "a||b", "^$", r"\bvda\b", r"x\B", r"\Ax", r"\d+\w+\s+", r"\D\W\S",
    r"\t\n\r\f\v", r"\x41\x7f", r"\x00", "[abc]", "[^abc]", "[a-z0-9_]", "[a-]", "[-a]", "[^-a]", r"[\w.-]",
    r"[\d\s]", r"[^\D]", r"[\]\[]", r"[\^\-\\]", r"[a\-z]", "[a|b]", "[a&b~c]", "[.*+?(){}$^]", r"[\x00-\x1f]",
    "a]", "a}", "(?i)apache", "(?s).", "(?m)^x$", "(?x) a b | c", "(?im)a", "(?i)(?s)a.b", r"(?x)a\ b\#",
    r"guest=\{web\}", r"\!\"\#\%\&\'\,\-\/\:\;\=\@\_\`\~", "büro", "(?:ü)+", r"\w{200}", r"\w\.\w", "-", "#", "&&",
    "~~--", "@%,:;=!<>", "a\nb", r"(?:(?:(?:a)))",
]  # fmt: skip
REFUSED = [
    r"x\Z", "(?a:x)", "(?#c)x", r"\N{DIGIT ONE}", "[[]", "[a[b]", "guest={web}", "x{,3}", "a{1", "(a{900}){900}",
    r"[\b]", r"\0", r"\012", "{", "[a&&b]", "[a--b]", "[[:alpha:]]", "[a~~b]", "[a||b]", r"x\z", r"(a)\1", "(?=x)",
    "(?<!x)y", "(?P<n>a)(?P=n)", "(?<n>a)", "(?P<n>a)(?P<n>b)", "(?>a)", "a*+", "a++", "a{2}{3}", "a**", "*a", "^*",
    r"\b?", "(", ")", "[", "[]", "[]a]", "[^]a]", "[b-a]", r"[a-\d]", r"[\d-a]", "a(?i)", "(?ii)a", "(?L)a",
    "(?-i:a)", "\\", r"\x4", r"\xe9", "ü+", "[ü]", r"\<a", r"\q", r"\pL", r"\u0041", "a{1001}", "a{3,2}",
    r"\w{1000}", "(?x)a#b", "(?x)[a b]", "a" * 4097, "(" * 21 + ")" * 21, "(?(1)a|b)", "\ud800", "(?P<ü>a)",
    r"[\A]", "[!-&&]", "[+--]", "((a{0,100}){0,100}){0,100}",
]  # fmt: skip
LINES = ["", "apache2", "guest=web,x", "a", "aab", "A b", "x-y_z.1", "[a]", "{2}", "\t"]


def matches_of_python(pattern):
    """Which of the lines Python's engine matches; no warning is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled = re.compile(pattern)
        re.compile(pattern.encode())  # the collectors compare bytes
        return [bool(compiled.search(line)) for line in LINES]


@pytest.mark.parametrize("pattern", ACCEPTED)
def test_accepted_patterns_compile_in_both_engines(pattern):
    assert regex_check.find_problem(pattern) is None
    matches = pl.Series(LINES).str.contains(pattern).to_list()
    assert matches == matches_of_python(pattern)
    assert regex_check.is_empty_match(pattern) == matches[0]


@pytest.mark.parametrize("pattern", REFUSED, ids=ascii)
def test_others_are_refused_in_one_line_without_a_warning(pattern):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = regex_check.find_problem(pattern)
    assert problem and "\n" not in problem and problem.isprintable()


def test_a_problem_names_the_character_and_what_to_write():
    assert regex_check.find_problem(r"^apache2\Z").endswith(r"character 9, \Z: write $")
    assert regex_check.find_problem("[a--b]").endswith(r"character 3, --: write \-")


PARTS = [
    "a", "b", ".", "-", "-z", "]", "}", "{", "{2}", "{2,3}", "{,3}", "*", "+", "?", "*?", "|", "^", "$", "(", "(?:",
    "(?P<n>", ")", ")", "[a", "[^", "[", "]", "&", "~", "&&", r"\d", r"\W", r"\b", r"\B", r"\A", r"\Z", r"\x41",
    r"\-", r"\]", "\\", "(?x)", " ", "#", "{0}", "(?i)", "ü", "[a-c]", "(?:a|b)", "[^x]", r"[\w-]", "0", "_", ",",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=9).map("".join))
def test_what_is_built_of_parts_and_accepted_compiles_in_both_engines(pattern):
    if regex_check.find_problem(pattern) is None:
        matches = pl.Series(LINES).str.contains(pattern).to_list()
        assert matches[1:] == matches_of_python(pattern)[1:]
        assert regex_check.is_empty_match(pattern) == matches[0]


@pytest.mark.parametrize("name", ["plan.example.json", "plan.local.json"])
def test_shipped_plans_are_accepted(name):
    plan = json.loads((pathlib.Path(CLIENT) / name).read_text())
    experiment_plan.check_plan(plan, "data/raw/study/server/run")


@pytest.mark.parametrize("pattern", ["", "a*", r"\B", "a|b?", 5, ["x"]])
def test_a_server_cannot_be_every_process(pattern):
    plan = json.loads((pathlib.Path(CLIENT) / "plan.example.json").read_text())
    plan["virtual_servers"]["web"]["server_processes"] = pattern
    with pytest.raises(experiment_plan.ExperimentError, match=r"web: server_processes: "):
        experiment_plan.check_plan(plan, "data/raw/study/server/run")
