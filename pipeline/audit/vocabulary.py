"""Names of columns: which quantity of a queueing system a column holds, at which station, in which unit.

A name is ``QUANTITY[_STATION][_UNIT][_low|_high]``: ``R_ms``, ``D_cpu_ms``, ``busy_percent``, ``X_per_s_low``. Capital
letters, spaces, brackets and the order of station and quantity do not matter: ``Response time [ms]`` is ``R_ms``,
``host_cpu_busy_percent`` is ``U_host_cpu_percent``.
"""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from pipeline.audit import texts

TIME, RATE, RATIO, NUMBER, TEXT = "time", "rate", "ratio", "number", "text"

TIME_UNITS = {
    **dict.fromkeys(("ns", "nanoseconds"), 1e-9),
    **dict.fromkeys(("us", "microseconds"), 1e-6),
    **dict.fromkeys(("ms", "msec", "milliseconds"), 1e-3),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
}
SHORT_RATES = {"rps": "x", "tps": "x", "qps": "x"}
"""Names of a throughput that contain their unit."""
PERCENT = ("percent", "pct")

DIMENSIONS = {
    "N": NUMBER, "X": RATE, "R": TIME, "Z": TIME, "lambda": RATE, "mu": RATE, "m": NUMBER, "U": RATIO,
    "E_n": NUMBER, "E_nq": NUMBER, "E_w": TIME, "P_wait": RATIO, "S": TIME, "D": TIME, "V": NUMBER,
    "U_total": RATIO, "model": TEXT, "time_factor": NUMBER,
}  # fmt: skip
"""Quantities, and what they are measured in."""

SYNONYMS = {
    "N": (
        "n", "threads", "clients", "customers", "users", "population", "concurrency", "n_threads", "num_threads",
        "number_of_threads", "number_of_clients", "number_of_users",
    ),
    "X": ("x", "throughput", "tput", "completion_rate"),
    "R": (
        "r", "e_r", "response_time", "response", "latency", "mean_response", "time_in_system", "rt", "residence_time",
        "residence",
    ),
    "Z": ("z", "think_time", "think"),
    "lambda": ("lambda", "arrival_rate", "arrivals"),
    "mu": ("mu", "service_rate"),
    "m": ("m", "servers", "number_of_servers"),
    "U": ("u", "rho", "utilization", "utilisation", "util", "busy", "busy_share"),
    "E_n": ("e_n", "l", "mean_jobs", "jobs_in_system", "mean_customers", "mean_number_in_system"),
    "E_nq": ("e_nq", "lq", "mean_jobs_queue", "jobs_in_queue", "mean_jobs_in_queue", "jobs_queue"),
    "E_w": ("e_w", "wq", "wait", "waiting_time", "wait_time", "mean_wait"),
    "P_wait": ("p_wait", "prob_wait", "probability_of_waiting", "erlang_c", "p_queue"),
    "S": ("s", "e_s", "service_time"),
    "D": ("d", "demand", "service_demand"),
    "V": ("v", "visits", "visit_ratio"),
    "model": ("model",),
    "time_factor": ("time_factor",),
}  # fmt: skip
AT_STATION = ("X", "R", "m", "U", "S", "D", "V")
"""Quantities that a station can have."""

STATIONS = (
    "cpu",
    "vcpu",
    "guest_cpu",
    "host_cpu",
    "disk",
    "vdisk",
    "guest_disk",
    "host_disk",
    "network",
)
"""A percentage of one of them is its utilization."""

QUALIFIERS = (
    "client",
    "measured",
    "observed",
    "modelled",
    "modeled",
    "predicted",
    "simulated",
    "mva",
    "sum",
    "nested",
)
"""Say where a number is from; only numbers from the same source are compared. R_sum, R_nested: computed from parts."""
STATISTICS = (
    "sd", "std", "stdev", "stddev", "se", "sem", "ci", "cv", "var", "variance", "scv", "error", "err", "ratio",
    "printed", "corrected", "target", "slo", "limit", "runs", "count", "rank", "id", "qemu",
)  # fmt: skip
"""A name with one of them is none of a mean value that a law is about."""
MEANS = ("mean", "avg", "average")
REQUESTS = (
    "req", "request", "requests", "transactions", "transaction", "tx", "queries", "jobs", "ops", "operations",
)  # fmt: skip
BOUNDS = {"low": 1, "lower": 1, "high": 2, "upper": 2}
QUANTILES = {"median": 0.5, "minimum": 0.0, "maximum": 1.0, "max": 1.0}

_PHRASES = {phrase: symbol for symbol, phrases in SYNONYMS.items() for phrase in phrases}
_SPELLINGS = (
    (r"[µμ](?=s\b|s_|sec)", "u"), (r"[µμ]", " mu "), ("λ", " lambda "), ("ρ", " rho "), ("%", " percent "),
    (r"\bE\[([a-zA-Z_]+)\]", r" e_\1 "), (r"P\(wait\)", " p_wait "), (r"1\s*/\s*(?=[a-z])", " per "), ("/", " per "),
)  # fmt: skip


class Key(NamedTuple):
    """A quantity: symbol, station (empty: the whole system), where it is from (empty: not said), quantile."""

    symbol: str
    station: str = ""
    qualifier: str = ""
    quantile: float | None = None

    def __str__(self) -> str:
        parts = [self.symbol, self.station, self.qualifier]
        if self.quantile is not None:
            parts.append({0.0: "minimum", 1.0: "maximum"}.get(self.quantile, f"p{100 * self.quantile:g}"))  # fmt: skip
        return "_".join(part for part in parts if part)


class Meaning(NamedTuple):
    """A column: its quantity, the factor to seconds, per second or 1, the unit's name, and 1 or 2 for a bound."""

    key: Key
    factor: float
    unit: str
    bound: int = 0


class NotUnderstood(NamedTuple):
    """Why a column's name has no meaning."""

    reason: str


def parse_name(name: str) -> Meaning | NotUnderstood:
    """The meaning of a column's name.

    Examples
    --------
    >>> parse_name("Response time [ms]")
    Meaning(key=Key(symbol='R', station='', qualifier='', quantile=None), factor=0.001, unit='ms', bound=0)
    >>> parse_name("host_cpu_busy_percent").key
    Key(symbol='U', station='host_cpu', qualifier='', quantile=None)
    >>> parse_name("colour").reason
    'unknown name'
    """
    tokens = _split(name)
    tokens, bound = _take_bound(tokens)
    tokens, factor, unit, dimension = _take_unit(tokens)
    if not bound:
        tokens, bound = _take_bound(tokens)
    qualifier = next((token for token in tokens if token in QUALIFIERS), "")
    tokens = [token for token in tokens if token != qualifier]
    tokens, quantile = _take_quantile(tokens)
    key = _find_quantity(tokens)
    if key is None and dimension == RATIO and "_".join(tokens) in STATIONS:
        key = Key("U", "_".join(tokens))
    if key is None:
        nearest = nearest_name(name)
        return NotUnderstood(texts.UNKNOWN if nearest is None else texts.unknown(nearest))
    key = key._replace(qualifier=qualifier, quantile=quantile)
    if quantile is not None and (key.symbol != "R" or key.station):
        return NotUnderstood(texts.NO_CHECK)
    expected = DIMENSIONS[key.symbol]
    if expected in (TIME, RATE) and dimension is None:
        return NotUnderstood(texts.no_unit(f"{name}_{'ms' if expected == TIME else 'per_s'}"))
    if dimension is not None and dimension != expected:
        return NotUnderstood(texts.wrong_unit(str(key), unit))
    return Meaning(key, factor, unit, bound)


def _split(name: str) -> list[str]:
    for pattern, replacement in _SPELLINGS:
        name = re.sub(pattern, replacement, name)
    return re.findall(r"[a-z0-9]+", name.lower())


def _take_bound(tokens: list[str]) -> tuple[list[str], int]:
    if len(tokens) > 1 and tokens[-1] in BOUNDS:
        return tokens[:-1], BOUNDS[tokens[-1]]
    return tokens, 0


def _take_unit(tokens: list[str]) -> tuple[list[str], float, str, str | None]:
    """Words without the unit, the factor to the base unit, the unit's name and its dimension."""
    if len(tokens) == 1 and tokens[0] in SHORT_RATES:
        return [SHORT_RATES[tokens[0]]], 1.0, "per s", RATE
    if len(tokens) > 2 and tokens[-2] == "per" and tokens[-1] in TIME_UNITS:
        rest = tokens[:-2]
        rest = rest[:-1] if len(rest) > 1 and rest[-1] in REQUESTS else rest
        rest = ["x"] if len(rest) == 1 and rest[0] in REQUESTS else rest
        return rest, 1 / TIME_UNITS[tokens[-1]], f"per {tokens[-1]}", RATE
    if len(tokens) > 1 and tokens[-1] in PERCENT:
        return tokens[:-1], 0.01, "percent", RATIO
    if len(tokens) > 1 and tokens[-1] in TIME_UNITS:
        return tokens[:-1], TIME_UNITS[tokens[-1]], tokens[-1], TIME
    return tokens, 1.0, "", None


def _take_quantile(tokens: list[str]) -> tuple[list[str], float | None]:
    for place, token in enumerate(tokens):
        quantile = QUANTILES.get(token)
        if token == "min" and len(tokens) > 1:  # as a unit it stands at the end, and was taken
            quantile = 0.0
        if match := re.fullmatch(r"p([0-9]{2})([0-9]?)", token):
            quantile = float(f"0.{match[1]}{match[2]}")
        if quantile is not None and len(tokens) > 1:
            return tokens[:place] + tokens[place + 1 :], quantile
    return tokens, None


def _find_quantity(tokens: list[str]) -> Key | None:
    if not tokens or set(tokens) & set(STATISTICS) or ("net" in tokens and len(tokens) > 2):
        return None  # D_net is of a network, D_cpu_net is net of the background
    for chosen in (tokens, [token for token in tokens if token not in MEANS]):
        if symbol := _PHRASES.get("_".join(chosen)):
            return Key(symbol)
    is_total = tokens[-1] == "total"
    tokens = [token for token in chosen if token not in (*REQUESTS, "total")]
    if symbol := _PHRASES.get("_".join(tokens)):
        return Key(symbol)
    for length in range(len(tokens) - 1, 0, -1):
        for phrase, rest in (
            (tokens[:length], tokens[length:]),
            (tokens[len(tokens) - length :], tokens[: len(tokens) - length]),
        ):
            symbol = _PHRASES.get("_".join(phrase))
            is_letter = phrase == tokens[len(tokens) - length :] and len(phrase[0]) == 1
            if symbol in AT_STATION and not (is_letter and length == 1):
                symbol = "U_total" if symbol == "U" and is_total else symbol
                return Key(symbol, "_".join(rest))
    return None


def nearest_name(name: str) -> str | None:
    """The name of the vocabulary that is most like ``name``, with a unit."""
    tokens = "_".join(_take_unit(_split(name))[0])
    close = difflib.get_close_matches(tokens, [p for p in _PHRASES if len(p) > 3], 1, 0.75)
    if not close:
        return None
    suffix = {TIME: "_ms", RATE: "_per_s"}
    return close[0] + suffix.get(DIMENSIONS[_PHRASES[close[0]]], "")
