"""Blanks in place of answers: a name that an answer assigns becomes a blank if it is read afterwards.

In a solved notebook, what a student computes stands between the lines ``# answer`` and ``# end`` of a code cell::

    # answer
    R_cpu_s = T_cpu_s / lambda_total          R_cpu_s = ...  # your answer
    # end

Names of loops and other auxiliary variables vanish; names assigned inside ``if``, ``for`` and ``with`` are blanks, too.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Sequence

from pipeline.course import texts
from pipeline.errors import Error

BLANK = "...  # your answer"

REGION = re.compile(
    r"^(?P<indent>[ \t]*)# answer[ \t]*\n(?P<body>.*?)^[ \t]*# end[ \t]*(?:\n|\Z)", re.M | re.S
)
_MARK = re.compile(r"^[ \t]*# (answer|end)[ \t]*$", re.M)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class BlankError(Error):
    """A solved notebook whose answers cannot be made blank; the text says why."""


def student_sources(sources: Sequence[str]) -> list[str]:
    """Code cells without their answers.

    Parameters
    ----------
    sources : sequence of str
        The notebook's code cells in order.

    Returns
    -------
    list of str

    Raises
    ------
    BlankError
        If ``# answer`` and ``# end`` do not match, or nothing that an answer assigns is read afterwards.

    Examples
    --------
    >>> student_sources(["# answer\\nx = 1\\n# end\\nprint(x)"])
    ['x = ...  # your answer\\nprint(x)']
    """
    solved = [REGION.sub(lambda region: region["body"], source) for source in sources]
    for source, text in zip(sources, solved, strict=True):
        if _MARK.search(text):
            raise BlankError(texts.unmatched_marks(source))
    return [_blanked(source, solved[number + 1 :]) for number, source in enumerate(sources)]


def _blanked(source: str, later: Sequence[str]) -> str:
    def blank(region: re.Match[str]) -> str:
        rest = REGION.sub(lambda other: other["body"], source[region.end() :])
        names = _read_later(_assigned(textwrap.dedent(region["body"])), [rest, *later])
        if not names:
            raise BlankError(texts.answer_without_use(region["body"]))
        return "".join(f"{region['indent']}{name} = {BLANK}\n" for name in names)

    text = REGION.sub(blank, source)
    return text if source.endswith("\n") else text.rstrip("\n")


def _assigned(code: str) -> list[str]:
    """Names that code assigns or defines, in order, without those of comprehensions and of functions' insides."""
    names: dict[str, None] = {}
    for statement in ast.parse(code).body:
        names.update(dict.fromkeys(_bound(statement)))
    return list(names)


def _bound(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, _COMPREHENSIONS):
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def _read_names(node: ast.AST, local: frozenset[str] = frozenset()) -> set[str]:
    """Names that are read in a node; those of comprehensions are local to them."""
    if isinstance(node, _COMPREHENSIONS):
        targets = [name for part in node.generators for name in ast.walk(part.target)]
        local |= {name.id for name in targets if isinstance(name, ast.Name)}
    own = set()
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        own = {node.id} - local
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        own |= {node.target.id} - local
    return own.union(*(_read_names(child, local) for child in ast.iter_child_nodes(node)))


def _read_later(names: Iterable[str], sources: Iterable[str]) -> list[str]:
    """Those names that later code reads before it assigns them anew, in order."""
    names = list(names)
    pending, wanted = set(names), set()
    for source in sources:
        for statement in ast.parse(source).body:
            wanted |= pending & _read_names(statement)
            pending -= set(_bound(statement)) if not _is_conditional(statement) else set()
    return [name for name in names if name in wanted]


def _is_conditional(statement: ast.stmt) -> bool:
    """Whether a statement may not run, so that what it assigns may still be the earlier value."""
    return isinstance(statement, ast.If | ast.For | ast.While | ast.Try)
