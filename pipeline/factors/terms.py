"""The terms of the model: main effects and interactions that the rows separate, and the aliases of each.

An effect is the product of its factors' columns of −1 and +1. Two effects with the same column, or with opposite ones,
are aliases: no analysis separates them. An effect that is constant within each block is confounded with the blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

import numpy as np

from pipeline.factors.levels import Array, FactorError

MAX_TERMS = 5_000
"""Effects whose columns are compared; orders beyond are not looked at."""
MAX_FITTED = 255
"""Effects of a model, but for those listed one by one: all of eight factors."""
MIN_INDEPENDENT = 1e-6
"""Length of the part of a column that no earlier column explains, relative to the column's."""

Interactions = int | str | Sequence[str | Sequence[str]]


@dataclass
class Terms:
    """The effects of a model."""

    columns: dict[str, Array] = field(default_factory=dict)
    """Effects that are fitted → their columns."""
    aliases: dict[str, list[str]] = field(default_factory=dict)
    """Effect → effects of the same column, those of the opposite column with ``-`` in front; by order."""
    defining_relation: list[str] = field(default_factory=list)
    """Effects that are constant in all rows: confounded with the mean."""
    with_blocks: list[str] = field(default_factory=list)
    """Effects that are constant within each block."""
    dependent: list[str] = field(default_factory=list)
    """Requested effects whose columns are linear combinations of those of earlier effects."""
    not_requested: list[str] = field(default_factory=list)
    """Interactions that could be fitted, but were not requested."""
    order: int = 1
    """Highest order that is fitted completely."""
    omitted_orders: dict[int, str] = field(default_factory=dict)
    """Order of interactions that is not fitted → why: ``dependent`` or ``many``."""
    aliases_up_to: int = 0
    """Highest order whose aliases were looked for."""


class Basis:
    """An orthonormal basis of the columns so far."""

    def __init__(self, rows: int):
        self._q = np.zeros((rows, 0))

    @property
    def rank(self) -> int:
        """Number of independent columns."""
        return self._q.shape[1]

    def rest(self, columns: Array) -> Array:
        """The part of ``columns`` that the basis does not explain."""
        for _ in range(2):  # once more, as rounding leaves a part
            columns = columns - self._q @ (self._q.T @ columns)
        return columns

    def add(self, columns: Array) -> bool:
        """Add ``columns`` if they are independent of the basis and of each other; whether they are."""
        lengths = np.linalg.norm(columns, axis=0)
        if self.rank + columns.shape[1] > len(self._q) or not lengths.all():
            return False
        q, r = np.linalg.qr(self.rest(columns / lengths))
        if columns.shape[1] and np.abs(np.diag(r)).min() < MIN_INDEPENDENT:
            return False
        self._q = np.hstack([self._q, q])
        return True


def name_of(factors: Sequence[str]) -> str:
    """The name of an effect: its factors, joined by ``:``."""
    return ":".join(factors)


def requested(interactions: Interactions, factors: Sequence[str]) -> list[tuple[str, ...]] | int:
    """The interactions of a request as tuples in the order of ``factors``, or the highest order."""
    if interactions == "all":
        return len(factors)
    if isinstance(interactions, int):
        return max(1, interactions)
    if isinstance(interactions, str):
        interactions = [interactions]
    listed = []
    for each in interactions:
        parts = split_name(each, factors) if isinstance(each, str) else tuple(each)
        if unknown := [part for part in parts if part not in factors]:
            raise FactorError(
                f"interaction {each}: {unknown[0]} is no factor; factors: {', '.join(factors)}"
            )
        listed.append(tuple(name for name in factors if name in parts))
    return [each for each in dict.fromkeys(listed) if len(each) > 1]


def split_name(text: str, factors: Sequence[str]) -> tuple[str, ...]:
    """``A:B`` as its factors; a factor's own name may contain a colon."""
    if text in factors:
        return (text,)
    parts: list[str] = []
    for part in text.split(":"):
        if parts and parts[-1] not in factors and f"{parts[-1]}:{part}" in factors:
            parts[-1] = f"{parts[-1]}:{part}"
        else:
            parts.append(part)
    return tuple(parts)


def find_terms(signs: dict[str, Array], base: Array, interactions: Interactions) -> Terms:
    """The effects that can be fitted beside the columns of ``base``.

    Parameters
    ----------
    signs
        Factor → −1 and +1, one per row.
    base
        The mean, blocks and covariates, one column each; the mean is the first.
    interactions
        ``"all"``, the highest order, or the interactions themselves. With ``"all"`` or an order, an order whose
        interactions are not independent of each other (but for aliases) is left out, and those above it.
    """
    factors = list(signs)
    wanted = requested(interactions, factors)
    basis = Basis(len(base))
    for column in base.T:
        basis.add(column[:, None])
    terms, by_column = Terms(), {}
    is_listed = not isinstance(wanted, int)
    looked_at = 0
    for order in range(1, len(factors) + 1):
        looked_at += comb(len(factors), order)
        if looked_at > MAX_TERMS and order > 2:
            break
        terms.aliases_up_to = order
        candidates: dict[str, Array] = {}
        for group in combinations(factors, order):
            name = name_of(group)
            column = np.prod([signs[factor] for factor in group], axis=0)
            sign = column[0]
            key = (column * sign > 0).tobytes()
            if (column == sign).all():
                terms.defining_relation.append(name if sign > 0 else f"-{name}")
            elif key in by_column:
                first, sign_of_first = by_column[key]
                terms.aliases[first].append(name if sign == sign_of_first else f"-{name}")
            else:
                by_column[key] = name, sign
                terms.aliases[name] = []
                if np.linalg.norm(_project(base, column)) < MIN_INDEPENDENT * np.sqrt(len(column)):
                    terms.with_blocks.append(name)
                elif order == 1 or not is_listed or group in wanted:
                    candidates[name] = column
                else:
                    terms.not_requested.append(name)
        if not is_listed and order > wanted:
            terms.not_requested += candidates
            candidates = {}
        _add(terms, basis, candidates, order, wanted)
    if is_listed:
        aliased = {alias.removeprefix("-") for each in terms.aliases.values() for alias in each}
        missing = [
            each for each in map(name_of, wanted) if each in aliased and each not in terms.columns
        ]
        _fit_aliased(terms, basis, signs, missing)
    return terms


def _project(base: Array, column: Array) -> Array:
    """The part of ``column`` that ``base`` does not explain."""
    return column - base @ np.linalg.lstsq(base, column, rcond=None)[0]


def _add(
    terms: Terms,
    basis: Basis,
    candidates: dict[str, Array],
    order: int,
    wanted: int | list[tuple[str, ...]],
) -> None:
    """Add the ``candidates`` of one order: one by one if they are listed or main effects, else all or none."""
    if not candidates:
        if order == terms.order + 1 and not terms.omitted_orders:
            terms.order = order
        return
    if order == 1 or not isinstance(wanted, int):
        for name, column in candidates.items():
            if basis.add(column[:, None]):
                terms.columns[name] = column
            else:
                terms.dependent.append(name)
        return
    if terms.omitted_orders:
        return
    if len(terms.columns) + len(candidates) > MAX_FITTED:
        terms.omitted_orders[order] = "many"
    elif basis.add(np.column_stack(list(candidates.values()))):
        terms.columns |= candidates
        terms.order = order
    else:
        terms.omitted_orders[order] = "dependent"


def _fit_aliased(terms: Terms, basis: Basis, signs: dict[str, Array], names: list[str]) -> None:
    """A listed interaction whose alias of a lower order is not fitted stands for the aliases of its column."""
    for name in names:
        first, others = next(
            (first, others)
            for first, others in terms.aliases.items()
            if name in others or f"-{name}" in others
        )
        if first in terms.columns or first in terms.with_blocks:
            continue
        column = np.prod([signs[factor] for factor in split_name(name, list(signs))], axis=0)
        if basis.add(column[:, None]):
            terms.columns[name] = column
            sign = -1 if f"-{name}" in others else 1
            renamed = [first, *(each for each in others if each.removeprefix("-") != name)]
            terms.aliases[name] = [each if sign > 0 else _negated(each) for each in renamed]


def _negated(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"
