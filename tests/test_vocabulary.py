"""The words of code, notebooks and docs: terms that the glossary or a textbook's index does not have are not used."""

import ast
import json
import re

import pytest

from pipeline.files import ROOT

OLD_WORDS = {
    "believe", "believed", "believes", "doubt", "doubted", "doubts", "floors", "grave", "graver",
    "gravest", "house", "levelling", "lonely", "mend", "mends", "paces", "rival", "rivals",
    "rooms", "spell", "spells", "told", "untold", "wander", "wandering", "wanders", "witness",
    "witnesses",
}  # fmt: skip
"""Single words, also as a part of a name in snake_case or CamelCase."""

OLD_PHRASES = (
    r"accompanied",
    r"as it stands",
    r"asked about",
    r"before-state",
    r"(?:arrivals|bytes|completions|connections|operations|requests|seconds|threads|ticks|times|transactions) a second",
    r"(?<!measured )(?<!refused )(?<!recorded here, )by the client\b",  # a source's name seeds its bootstrap draws
    r"cannot be told",
    r"counted twice",
    r"did not keep up",
    r"in no demand",
    r"instruments? (?:agree|disagree)",
    r"leaves? open",
    r"ms a request",
    r"naive rival",
    r"near enough",
    r"one (?:row|line) a \w+",
    r"a row a \w+",
    r"so many (?:CPUs|runs|seconds|times)",
    r"\bthe gate\b",
    r"true model would",
    r"what a loaded neighbour's company",
    r"with company",
)

OLD_NAMES = {
    *(
        "asked",
        "beside",
        "found",
        "here",
        "known",
        "least",
        "left",
        "made",
        "many",
        "mine",
        "most",
        "one",
    ),
    *("said", "there", "told", "words"),
}
"""Names of variables, arguments and functions that do not say what they hold."""
OLD_PREFIXES = ("MOST_", "LEAST_", "FEWEST_", "LARGEST_", "SMALLEST_", "LONGEST_", "SHORTEST_")
"""Limits begin with ``MAX_`` or ``MIN_``."""


def sources():
    for folder, suffixes in (
        ("pipeline", (".py", ".j2", ".js")),
        ("notebooks", (".ipynb", ".md")),
        ("docs", (".md", ".py")),
    ):
        for path in sorted((ROOT / folder).rglob("*")):
            inside = path.relative_to(ROOT).parts
            if path.suffix in suffixes and not {"notes", "decisions"} & set(inside):
                yield path


def text_of(path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text()
    cells = json.loads(path.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def single_words(line: str) -> set[str]:
    """Lower-case words of a line; names in snake_case and CamelCase are split."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", line)
    return {word.lower() for word in re.findall(r"[A-Za-z]+", split)}


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_old_term_is_used(path):
    hits = []
    old_phrases = re.compile("|".join(OLD_PHRASES), re.I)
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        words = sorted(single_words(line) & OLD_WORDS)
        phrases = [match[0] for match in old_phrases.finditer(line)]
        hits += [f"line {number}: {term}" for term in (*words, *phrases)]
    assert hits == []


def names_bound(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "pipeline").rglob("*.py")),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_names_say_what_they_hold(path):
    hits = [
        f"line {line}: {name}"
        for line, name in names_bound(ast.parse(path.read_text()))
        if name.strip("_") in OLD_NAMES or name.lstrip("_").startswith(OLD_PREFIXES)
    ]
    assert hits == []
