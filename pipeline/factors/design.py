"""Designs with two levels per factor: full (2^k r) and fractional (2^(k−p)) factorials, in blocks, in random order.

The fraction is that of minimum aberration (Fries and Hunter, Technometrics 22, 1980): the highest resolution, and of
those designs one with the fewest shortest effects in the defining relation.

Aliases are read from the columns of the design (:mod:`pipeline.factors.terms`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
import polars as pl

from pipeline.factors import texts
from pipeline.factors.levels import Array, FactorError
from pipeline.factors.terms import Terms, find_terms, split_name

ORDER, BLOCK, REPLICATE, CELL = "order", "block", "replicate", "cell"
MAX_FACTORS = 20
MAX_RUNS = 65_536
MAX_SEARCH = 500_000
"""Effects of the defining relation that the search for generators forms at each resolution: under a second."""
MAX_BLOCK_SEARCH = 20_000
"""Sets of interactions that are tried as block generators."""


@dataclass(frozen=True)
class Design:
    """A list of runs, and what it can separate."""

    runs: pl.DataFrame
    """In the order of execution: ``order``, ``block`` (only with blocks), ``replicate``, ``cell``, the factors."""
    levels: dict[str, tuple[Any, Any]]
    generators: dict[str, tuple[str, ...]]
    """Factor → the factors whose product it is; the first can have ``-`` in front."""
    resolution: int | None
    """Shortest effect of the defining relation; None of a full factorial."""
    defining_relation: list[str]
    """Effects that are confounded with the mean."""
    aliases: pl.DataFrame
    """``effect``, ``aliases`` (list; opposite signs with ``-``); effects of one or two factors first."""
    with_blocks: list[str]
    """Effects that are confounded with blocks."""

    @property
    def cells(self) -> int:
        """Combinations of levels."""
        return self.runs[CELL].n_unique()


def design(
    factors: Sequence[str] | Mapping[str, tuple[Any, Any]],
    *,
    generators: Mapping[str, Sequence[str]] | None = None,
    fraction: int = 0,
    replicates: int = 1,
    blocks: int | Sequence[str] | None = None,
    seed: int = 0,
) -> Design:
    """A design of two-level factors.

    Parameters
    ----------
    factors
        Names, with levels −1 and 1, or name → low and high level.
    generators
        Factor → the factors whose product its column is: ``{"D": ["A", "B", "C"]}``; ``["-A", "B"]`` is the opposite.
    fraction
        p of a 2^(k−p) design whose generators are searched for.
    replicates
        Runs of each cell.
    blocks
        A number: a block is one or more whole replicates, or each replicate is divided into 2, 4, … blocks by
        interactions of the highest order possible. Or the interactions that divide each replicate: ``["A:B:C"]``.
    seed
        Of the random order within blocks.

    Raises
    ------
    FactorError
        No such design; the text says which numbers are possible.

    Examples
    --------
    >>> half = design(["A", "B", "C", "D"], generators={"D": ["A", "B", "C"]})
    >>> half.resolution, half.defining_relation, half.runs.height
    (4, ['A:B:C:D'], 8)
    """
    levels = (
        {name: tuple(pair) for name, pair in factors.items()}
        if isinstance(factors, Mapping)
        else dict.fromkeys(factors, (-1, 1))
    )
    names = list(levels)
    _check(levels, fraction, replicates, list(factors))
    chosen = {name: tuple(parts) for name, parts in (generators or {}).items()}
    if fraction and chosen and len(chosen) != fraction:
        raise FactorError(f"{len(chosen)} generators, but the fraction is {fraction}")
    if fraction and not chosen:
        chosen = _search_generators(names, fraction)
    columns = _columns(names, chosen)
    n_cells = 2 ** (len(names) - len(chosen))
    if n_cells * replicates > MAX_RUNS:
        raise FactorError(
            f"{n_cells} cells × {replicates} are more than {MAX_RUNS} runs; use a fraction"
        )
    terms = find_terms(columns, np.ones((n_cells, 1)), 1)
    block_of, with_blocks = _blocks(columns, terms, replicates, blocks)
    return Design(
        runs=_runs(columns, levels, replicates, block_of, seed),
        levels=levels,
        generators=chosen,
        resolution=min((word.count(":") + 1 for word in terms.defining_relation), default=None),
        defining_relation=terms.defining_relation,
        aliases=pl.DataFrame(
            {"effect": list(terms.aliases), "aliases": list(terms.aliases.values())},
            schema={"effect": pl.String, "aliases": pl.List(pl.String)},
        ),
        with_blocks=with_blocks,
    )


def _check(levels: Mapping[str, Any], fraction: int, replicates: int, names: Sequence[str]) -> None:
    """Raise ``FactorError`` if names, levels or numbers make no design."""
    if not 1 <= len(names) <= MAX_FACTORS:
        raise FactorError(f"{len(names)} factors: give 1 to {MAX_FACTORS}")
    for name, pair in levels.items():
        if not name.strip() or name in (ORDER, BLOCK, REPLICATE, CELL) or ":" in name:
            raise FactorError(texts.bad_factor_name(name))
        if names.count(name) > 1:
            raise FactorError(f"factor {name} is given twice")
        if len(pair) != 2 or pair[0] == pair[1]:
            raise FactorError(f"factor {name}: two different levels are needed, low and high")
    if replicates < 1:
        raise FactorError(f"{replicates} replicates: at least 1 is needed")
    if fraction < 0 or (fraction and fraction > max_fraction(len(names))):
        raise FactorError(texts.bad_fraction(fraction, len(names), max_fraction(len(names))))


def max_fraction(factors: int) -> int:
    """The largest p of a 2^(k−p) design of resolution III or more.

    Examples
    --------
    >>> max_fraction(7), max_fraction(4)
    (4, 1)
    """
    return max(p for p in range(factors) if p == 0 or factors <= 2 ** (factors - p) - 1)


def _search_generators(names: Sequence[str], fraction: int) -> dict[str, tuple[str, ...]]:
    """Generators of the 2^(k−p) design with the fewest short effects in its defining relation (minimum aberration).

    Effects are sets of factors, as bits of a number; their product is the exclusive or. A set of generators is left
    when its part so far has an effect shorter than the resolution that is tried, or more short ones than the best.
    """
    base, k = len(names) - fraction, len(names)
    products = [
        sum(1 << i for i in group)
        for size in range(2, base + 1)
        for group in combinations(range(base), size)
    ]
    products.sort(key=lambda word: (word.bit_count() % 2 == 0, word.bit_count()))
    best: tuple[list[int], tuple[int, ...]] | None = None
    steps = 0

    def extend(
        first: int, relation: list[int], lengths: list[int], chosen: tuple[int, ...]
    ) -> None:
        nonlocal best, steps
        if len(chosen) == fraction:
            best = lengths, chosen
            return
        for index in range(first, len(products)):
            if steps > MAX_SEARCH:
                return
            if products[index].bit_count() < resolution - 1:
                continue
            steps += len(relation)
            word = products[index] | 1 << (base + len(chosen))
            added = [word ^ each for each in relation]
            if min(each.bit_count() for each in added) < resolution:
                continue
            counts = lengths.copy()
            for each in added:
                counts[each.bit_count()] += 1
            if best is None or counts < best[0]:
                extend(index + 1, relation + added, counts, (*chosen, products[index]))

    resolution = k * 2 ** (fraction - 1) // (2**fraction - 1)  # the mean length bounds the shortest
    while best is None and resolution >= 3:
        steps = 0
        extend(0, [0], [0] * (k + 1), ())
        resolution -= 1
    generators = best[1] if best else ()
    return {
        name: tuple(names[i] for i in range(base) if word >> i & 1)
        for name, word in zip(names[base:], generators, strict=True)
    }


def _columns(names: Sequence[str], generators: Mapping[str, Sequence[str]]) -> dict[str, Array]:
    """Columns of −1 and +1 in standard order: the first factor changes fastest."""
    base = [name for name in names if name not in generators]
    for name, parts in generators.items():
        plain = [part.removeprefix("-") for part in parts]
        if name not in names:
            raise FactorError(texts.no_such_factor(name, names))
        if not plain or len(set(plain)) < len(plain) or not set(plain) <= set(base):
            raise FactorError(texts.bad_generator(name, parts, base))
    runs = np.arange(2 ** len(base))
    columns = {name: np.where(runs >> i & 1, 1.0, -1.0) for i, name in enumerate(base)}
    for name, parts in generators.items():
        sign = (-1.0) ** sum(part.startswith("-") for part in parts)
        columns[name] = sign * np.prod([columns[part.removeprefix("-")] for part in parts], axis=0)
    return {name: columns[name] for name in names}


def _blocks(
    columns: Mapping[str, Array], terms: Terms, replicates: int, blocks: int | Sequence[str] | None
) -> tuple[Array | None, list[str]]:
    """The block of each cell (rows) in each replicate (columns), and the effects confounded with blocks."""
    n_cells = len(next(iter(columns.values())))
    if blocks is None or blocks == 1:
        return None, []
    if isinstance(blocks, int):
        if blocks > 1 and replicates % blocks == 0:
            per_block = replicates // blocks
            row = np.arange(replicates) // per_block
            return np.broadcast_to(row, (n_cells, replicates)), []
        parts, rest = divmod(blocks, replicates)
        if blocks < 1 or rest or parts & (parts - 1) or parts >= n_cells:
            raise FactorError(texts.bad_blocks(blocks, replicates, n_cells))
        products = _search_blocks(terms, columns, parts.bit_length() - 1)
    else:
        products = [split_name(word, list(columns)) for word in blocks]
    keys = np.zeros(n_cells, dtype=int)
    for i, word in enumerate(products):
        if unknown := [part for part in word if part not in columns]:
            raise FactorError(texts.no_such_factor(unknown[0], list(columns)))
        keys += (np.prod([columns[part] for part in word], axis=0) > 0).astype(int) << i
    _, within = np.unique(keys, return_inverse=True)
    n_within = int(within.max()) + 1
    base = np.column_stack([within == each for each in range(n_within)]).astype(float)
    confounded = [
        name
        for name in terms.aliases
        if _is_constant_within(np.prod([columns[part] for part in name.split(":")], axis=0), base)
    ]
    return within[:, None] + n_within * np.arange(replicates)[None, :], confounded


def _is_constant_within(column: Array, blocks: Array) -> bool:
    return bool((np.abs(blocks.T @ column) == blocks.sum(axis=0)).all())


def _search_blocks(terms: Terms, columns: Mapping[str, Array], count: int) -> list[tuple[str, ...]]:
    """Interactions that divide the cells, such that the lowest order confounded with blocks is as high as possible."""
    products = {
        name: np.prod([columns[f] for f in name.split(":")], axis=0) for name in terms.aliases
    }
    order_of = {
        (column * column[0] > 0).tobytes(): name.count(":") + 1 for name, column in products.items()
    }
    ranked = sorted(products, key=lambda name: -name.count(":"))
    best: tuple[int, int] | None = None
    chosen: tuple[str, ...] = ()
    for group in islice(combinations(ranked, count), MAX_BLOCK_SEARCH):
        orders = []
        for size in range(1, count + 1):
            for part in combinations(group, size):
                column = np.prod([products[name] for name in part], axis=0)
                orders.append(order_of.get((column * column[0] > 0).tobytes(), 0))
        score = min(orders), -sum(order == min(orders) for order in orders)
        if best is None or score > best:
            best, chosen = score, group
    if best is None or best[0] < 2:
        raise FactorError(texts.TOO_MANY_BLOCKS)
    return [tuple(word.split(":")) for word in chosen]


def _runs(
    columns: Mapping[str, Array],
    levels: Mapping[str, tuple[Any, Any]],
    replicates: int,
    block_of: Array | None,
    seed: int,
) -> pl.DataFrame:
    """The runs in random order within blocks."""
    n_cells = len(next(iter(columns.values())))
    cells = np.tile(np.arange(n_cells), replicates)
    replicate = np.repeat(np.arange(replicates), n_cells)
    blocks = np.zeros(len(cells), int) if block_of is None else block_of[cells, replicate]
    shuffled = np.random.default_rng(seed).permutation(len(cells))
    order = shuffled[np.argsort(blocks[shuffled], kind="stable")]
    return pl.DataFrame(
        [
            pl.Series(ORDER, np.arange(1, len(order) + 1)),
            *([] if block_of is None else [pl.Series(BLOCK, blocks[order] + 1)]),
            pl.Series(REPLICATE, replicate[order] + 1),
            pl.Series(CELL, cells[order] + 1),
            *(
                pl.Series(name, [levels[name][int(sign > 0)] for sign in column[cells[order]]])
                for name, column in columns.items()
            ),
        ]
    )
