"""What must hold between the quantities of one row, for the quantities that a table has.

Operational laws (Denning and Buzen, Computing Surveys 10, 1978; Lazowska et al., Quantitative System Performance,
chapter 3), definitions, Erlang's formulas for M/M/1 and M/M/m, and equations 9 and 10 of Yang and Lan.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline import equations as eq
from pipeline.audit.columns import Columns, text_models
from pipeline.audit.vocabulary import AT_STATION, Key
from pipeline.network.service import erlang_c

Array = NDArray[np.float64]

CPU_NAMES = ("cpu", "vcpu", "guest_cpu", "host_cpu")
GUEST_DISKS, HOST_DISKS = ("vdisk", "guest_disk", "virtual_disk"), ("disk", "host_disk")
DISK_NAMES = (*GUEST_DISKS, *HOST_DISKS)
"""A guest's station contains the host's station of the same kind: their times are not added up."""
OPEN = ("m/m/1", "open", "equation10")
"""Models, in lower case without spaces, in which a station's residence time is D / (1 − U)."""
MANY_SERVERS = ("m/m/m", "m/m/c", "m/m/k", "m/m/n")
MIN_NESTED_UTILIZATION = 0.01
"""Utilization by which a host's disk may exceed the guest's: counters of busy time have a step of one jiffy per
operation (in the recorded study up to 0.004)."""


MAX_SHARE_ERROR = 0.01
"""Relative difference of U and X_k D below which a demand is one of an operation."""


@dataclass(frozen=True)
class Side:
    """One side of a rule: a function of quantities, increasing or decreasing in each."""

    function: Callable[..., Array]
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Rule:
    """``lhs relation rhs``; with ``is_measured`` both sides may be measured separately, so that a tolerance applies.

    ``rows``: the rows that it applies to (all if None). ``assumed``: what it takes for granted.
    """

    name: str
    formula: str
    relation: str
    lhs: Side
    rhs: Side
    is_measured: bool = False
    rows: Array | None = None
    assumed: str = ""

    @property
    def keys(self) -> tuple[Key, ...]:
        """The quantities of both sides, each once."""
        return tuple(dict.fromkeys((*self.lhs.keys, *self.rhs.keys)))


def _same(value: Array) -> Array:
    return value


def _single(key: Key) -> Side:
    return Side(_same, (key,))


def _constant(number: float) -> Side:
    return Side(lambda: np.array(number), ())


AT_MOST_1 = "at most 1"
ASSUMED = "assumed"
"""Qualifier of a quantity that the table does not have: no think time, one server."""


def all_rules(columns: Columns) -> list[Rule]:
    """The rules whose quantities ``columns`` has."""
    has = columns.values.__contains__
    rules = [
        *_littles_law(columns),
        *_queue(columns),
        *_closed_forms(columns),
        *_stations(columns),
        *_response(columns),
        *_quantiles(columns),
        *_ranges(columns),
    ]
    return [
        rule for rule in rules if all(has(key) or key.qualifier == ASSUMED for key in rule.keys)
    ]


def _or_assumed(columns: Columns, key: Key) -> Key:
    return key if key in columns.values else key._replace(qualifier=ASSUMED)


def _servers(columns: Columns, station: str = "") -> tuple[Key, str]:
    key = _or_assumed(columns, Key("m", station))
    return key, "one server" if key.qualifier else ""


def _parts(columns: Columns, symbol: str) -> list[Key]:
    """Stations' values of a quantity: stations by name, or those that have a demand or a utilization too."""
    stations = {
        key.station for key in columns.values if key.symbol in ("D", "U", "S", "m") and key.station
    }
    return [
        key
        for key in columns.values
        if key.symbol == symbol and key.station and not key.qualifier
        and key.station in (*CPU_NAMES, *DISK_NAMES, "net", "network", *stations)
    ]  # fmt: skip


def _groups(keys: Sequence[Key], *, nested: bool) -> list[list[Key]]:
    """Stations whose times are added; nested: of guest's and host's stations of one kind the larger counts."""
    kinds = (CPU_NAMES, DISK_NAMES)
    groups = [[key] for key in keys if not any(key.station in kind for kind in kinds)]
    for kind in kinds:
        members = [key for key in keys if key.station in kind]
        groups += [members] if nested and members else [[key] for key in members]
    return groups


def _total(keys: Sequence[Key], *, nested: bool) -> Side:
    """The sum over :func:`_groups` of the largest of each."""
    groups = _groups(keys, nested=nested)
    ends = list(itertools.accumulate(len(group) for group in groups))

    def function(*values: Array) -> Array:
        arrays = np.broadcast_arrays(*values)
        starts = [0, *ends[:-1]]
        return sum(np.max(arrays[i:j], axis=0) for i, j in zip(starts, ends, strict=True))

    return Side(function, tuple(key for group in groups for key in group))


def _names(keys: Sequence[Key], *, nested: bool = False) -> str:
    return " + ".join(
        str(group[0]) if len(group) == 1 else f"max({', '.join(map(str, group))})"
        for group in _groups(keys, nested=nested)
    )


# -- the whole system -----------------------------------------------------------------------------------------


def _littles_law(columns: Columns) -> Iterator[Rule]:
    qualifiers = {key.qualifier for key in columns.values if key.symbol in ("X", "R")}
    for qualifier in sorted(qualifiers):
        z = Key("Z", "", qualifier)
        z = z if z in columns.values else _or_assumed(columns, Key("Z"))
        x, r = Key("X", "", qualifier), Key("R", "", qualifier)
        assumed = "no think time" if z.qualifier == ASSUMED else ""
        if r in columns.values:
            customers = Side(lambda x, r, z: eq.population_from_response_time(r + z, x), (x, r, z))
            formula = f"{x} ({r} + {z.symbol})"
        elif not qualifier and (parts := _parts(columns, "R")):
            add = _total(parts, nested=False)
            customers = Side(
                lambda x, z, *r, add=add: x * (add.function(*r) + z), (x, z, *add.keys)
            )
            formula = f"X ({_names(parts)} + Z)"
            assumed = "; ".join(filter(None, (assumed, "the parts are the response time")))
        else:
            continue
        for n in dict.fromkeys((Key("N", "", qualifier), Key("N"))):
            yield Rule(
                "Little's law", f"{n} = {formula}", "=", _single(n), customers, True, assumed=assumed
            )  # fmt: skip


E_N, E_NQ, E_W, R, X = Key("E_n"), Key("E_nq"), Key("E_w"), Key("R"), Key("X")
LAMBDA, MU, RHO, P_WAIT = Key("lambda"), Key("mu"), Key("U"), Key("P_wait")


def _queue(columns: Columns) -> Iterator[Rule]:
    rate = LAMBDA if LAMBDA in columns.values else X
    m, assumed = _servers(columns)
    product, quotient = np.multiply, eq.ratio
    yield Rule("Little's law", f"E_n = {rate} R", "=", _single(E_N), Side(product, (rate, R)))
    yield Rule(
        "Little's law of the queue",
        f"E_nq = {rate} E_w",
        "=",
        _single(E_NQ),
        Side(product, (rate, E_W)),
    )
    yield Rule(
        "utilization", "U = lambda / (m mu)", "=", _single(RHO),
        Side(lambda rate, m, mu: quotient(rate, m * mu), (LAMBDA, m, MU)), assumed=assumed,
    )  # fmt: skip
    if RHO in columns.values:
        in_service = Side(lambda nq, rho, m: nq + rho * m, (E_NQ, RHO, m))
        yield Rule("jobs in system", "E_n = E_nq + m U", "=", _single(E_N), in_service, assumed=assumed)  # fmt: skip
    else:
        in_service = Side(lambda nq, rate, mu: nq + quotient(rate, mu), (E_NQ, LAMBDA, MU))
        yield Rule("jobs in system", "E_n = E_nq + lambda / mu", "=", _single(E_N), in_service)
    yield Rule("queue within system", "E_nq <= E_n", "<=", _single(E_NQ), _single(E_N))
    yield Rule("wait within response", "E_w <= R", "<=", _single(E_W), _single(R))
    service = Side(lambda w, mu: w + quotient(1.0, mu), (E_W, MU))
    yield Rule("response time", "R = E_w + 1 / mu", "=", _single(R), service)
    yield Rule("response time", "R = E_w + S", "=", _single(R), Side(np.add, (E_W, Key("S"))))
    yield Rule(
        "service time",
        "S = 1 / mu",
        "=",
        _single(Key("S")),
        Side(lambda mu: quotient(1.0, mu), (MU,)),
    )
    if E_W not in columns.values:
        yield Rule(
            "service within response",
            "1 / mu <= R",
            "<=",
            Side(lambda mu: quotient(1.0, mu), (MU,)),
            _single(R),
        )


def _mmm(quantity: Key) -> Callable[[Array, Array, Array], Array]:
    """A quantity of M/M/m from λ, μ of one server and m; infinite where λ ≥ m μ."""

    def function(rate: Array, mu: Array, m: Array) -> Array:
        rate, mu, m = np.broadcast_arrays(rate, mu, m)
        load = eq.ratio(rate, mu)
        rho = np.minimum(load / m, 1.0)
        wait_probability = erlang_c(m, load)
        if quantity == P_WAIT:
            return wait_probability
        waiting = eq.ratio(wait_probability * rho, 1 - rho)
        return {
            E_NQ: lambda: waiting,
            E_N: lambda: waiting + load,
            E_W: lambda: eq.ratio(waiting, rate),
            R: lambda: eq.ratio(waiting, rate) + eq.ratio(1.0, mu),
        }[quantity]()

    return function


def _closed_forms(columns: Columns) -> Iterator[Rule]:
    models = text_models(columns)
    single = np.array([model == "m/m/1" for model in models])
    several = np.array([model in MANY_SERVERS for model in models])
    one_server = Key("m", "", ASSUMED)
    for name, rows, m in (("M/M/1", single, one_server), ("M/M/m", several, Key("m"))):
        if not rows.any():
            continue
        for key in (P_WAIT, E_N, E_NQ, E_W, R):
            yield Rule(
                name, f"{key} = {name}(lambda, mu{', m' if m.qualifier == '' else ''})", "=", _single(key),
                Side(_mmm(key), (LAMBDA, MU, m)), rows=rows,
            )  # fmt: skip
        if LAMBDA in columns.values and MU in columns.values:
            continue
        for key in (P_WAIT, E_N, E_NQ):
            scaled = _mmm(key)
            yield Rule(
                name, f"{key} = {name}(U{', m' if m.qualifier == '' else ''})", "=", _single(key),
                Side(lambda u, m, f=scaled: f(u * m, np.ones_like(u), m), (RHO, m)), rows=rows,
            )  # fmt: skip


# -- stations -------------------------------------------------------------------------------------------------


def _stations(columns: Columns) -> Iterator[Rule]:
    stations = dict.fromkeys(
        key.station for key in columns.values if key.symbol in (*AT_STATION, "U_total")
    )
    models = text_models(columns)
    for station in stations:
        x, d, u, s, v, r, local, total = (
            Key(symbol, station) for symbol in ("X", "D", "U", "S", "V", "R", "X", "U_total")
        )
        x = X
        m, assumed = _servers(columns, station)
        is_same_share = _is_of_server(columns, u) == _is_of_server(columns, d)
        law = Side(lambda x, d, m: eq.ratio(eq.utilization_from_demand(d, x), m), (x, d, m))
        rows = _is_per_request(columns, u, local, d)
        if is_same_share:
            formula = f"{u} = X {d} / {m.symbol}"
            yield Rule("Utilization Law", formula, "=", _single(u), law, True, rows, assumed)
        yield Rule("demand within residence time", f"{d} <= {r}", "<=", _single(d), _single(r))
        yield Rule(
            "throughput bound", f"X <= {m.symbol} / {d}", "<=", _single(x),
            Side(lambda d, m: eq.ratio(m, d), (d, m)), assumed=assumed,
        )  # fmt: skip
        formula = f"X {d} / {m.symbol} <= {total}"
        yield Rule("Utilization Law", formula, "<=", law, _single(total), True, rows, assumed)
        yield Rule("server's share", f"{u} <= {total}", "<=", _single(u), _single(total))  # fmt: skip
        yield Rule("service demand", f"{d} = {v} {s}", "=", _single(d), Side(np.multiply, (v, s)))
        if station:
            yield Rule(
                "Forced Flow Law",
                f"{local} = X {v}",
                "=",
                _single(local),
                Side(np.multiply, (x, v)),
                True,
            )
            yield Rule(
                "Utilization Law", f"{u} = {local} {s} / {m.symbol}", "=", _single(u),
                Side(lambda x, s, m: eq.ratio(x * s, m), (local, s, m)), True, assumed=assumed,
            )  # fmt: skip
        is_disk = station in DISK_NAMES
        applies = np.array(
            [
                (model in OPEN and (model != "equation10" or is_disk)) or (is_disk and not model)
                for model in models
            ]
        )
        if Key("N") in columns.values:  # a closed workload: section IV does not apply
            applies &= np.isnan(columns.values[Key("N")].bounds[0])
        if is_same_share and m.qualifier == ASSUMED and applies.any():
            name, own, shared = "equation 10", f"{d} / (1 - {u})", f"{d} / (1 - {total})"
            sides = [Side(eq.disk_residence_time, (d, each)) for each in (u, total)]
            if total in columns.values:  # the denominator may be either
                yield Rule(name, f"{own} <= {r}", "<=", sides[0], _single(r), True, applies)
                yield Rule(name, f"{r} <= {shared}", "<=", _single(r), sides[1], True, applies)
            else:
                yield Rule(
                    name, f"{r} = {own}", "=", _single(r), sides[0], rows=applies, assumed=assumed
                )  # fmt: skip


def _is_per_request(columns: Columns, u: Key, local: Key, d: Key) -> Array | None:
    """Rows whose demand is not that of one operation of the station, which equation 9 as printed gives: U = X_k D."""
    if not {u, local, d} <= set(columns.values):
        return None
    utilization, rate, demand = (columns.values[key].bounds[0] for key in (u, local, d))
    return ~(np.abs(rate * demand - utilization) <= MAX_SHARE_ERROR * utilization)


def _is_of_server(columns: Columns, key: Key) -> bool:
    """Whether a column's name says that it is the server's share by equation 8, as ``U_disk_req``.

    A demand may be computed from another share (all of a disk that no other uses), so that the two are not compared
    with a column that does not say so.
    """
    return key in columns.values and "req" in columns.values[key].name.lower().split("_")


def _response(columns: Columns) -> Iterator[Rule]:
    demands, parts = _parts(columns, "D"), _parts(columns, "R")
    if demands:
        work, formula = _total(demands, nested=True), _names(demands, nested=True)
        yield Rule("demands within response", f"{formula} <= R", "<=", work, _single(R))
        z = _or_assumed(columns, Key("Z"))
        bound = Side(lambda x, z, *d: x * (work.function(*d) + z), (X, z, *work.keys))
        yield Rule(
            "asymptotic bound", f"X ({formula} + Z) <= N", "<=", bound, _single(Key("N")),
            assumed="no think time" if z.qualifier else "",
        )  # fmt: skip
    if len(parts) > 1:
        sides = [_total(parts, nested=is_nested) for is_nested in (True, False)]
        nested, whole = (_names(parts, nested=is_nested) for is_nested in (True, False))
        sums = (Key("R", "", "nested"), Key("R", "", "sum"))
        for key, side, formula in zip(sums, sides, (nested, whole), strict=True):
            yield Rule(
                "response is the sum of its parts", f"{key} = {formula}", "=", _single(key), side
            )
        if not any(key in columns.values for key in sums):  # else R is from elsewhere
            name = "response is the sum of its parts"
            yield Rule(name, f"{nested} <= R", "<=", sides[0], _single(R), True)
            yield Rule(name, f"R <= {whole}", "<=", _single(R), sides[1], True)
    for symbol in ("R", "D"):
        for guest in GUEST_DISKS:
            for host in HOST_DISKS:
                inner, outer = Key(symbol, host), Key(symbol, guest)
                formula = f"{inner} <= {outer}"
                if X in columns.values:
                    rhs = Side(lambda t, x: t + eq.ratio(MIN_NESTED_UTILIZATION, x), (outer, X))
                    formula += f" + {MIN_NESTED_UTILIZATION} / X"
                else:
                    rhs = _single(outer)
                yield Rule("guest's disk contains the host's", formula, "<=", _single(inner), rhs)


def _quantiles(columns: Columns) -> Iterator[Rule]:
    quantiles = sorted(
        (key for key in columns.values if key.quantile is not None),
        key=lambda key: (key.qualifier, key.quantile),
    )
    for first, second in itertools.pairwise(quantiles):
        if first.qualifier == second.qualifier:
            formula = f"{first} <= {second}"
            yield Rule("order of percentiles", formula, "<=", _single(first), _single(second))
    for key in quantiles:
        mean = Key("R", "", key.qualifier)
        if key.quantile == 0:
            yield Rule("minimum and mean", f"{key} <= {mean}", "<=", _single(key), _single(mean))
        elif key.quantile == 1:
            yield Rule("mean and maximum", f"{mean} <= {key}", "<=", _single(mean), _single(key))
        else:
            share = 1 - (key.quantile or 0.0)
            rhs = Side(lambda r, share=share: r / share, (mean,))
            yield Rule("Markov's inequality", f"{key} <= {mean} / {share:.3g}", "<=", _single(key), rhs)  # fmt: skip


def _ranges(columns: Columns) -> Iterator[Rule]:
    for key in columns.values:
        if key.symbol in ("U", "U_total", "P_wait"):
            yield Rule(AT_MOST_1, f"{key} <= 1", "<=", _single(key), _constant(1.0))
        yield Rule("not negative", f"0 <= {key}", "<=", _constant(0.0), _single(key))
