"""Small models, and a Hypothesis strategy of random networks."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from pipeline.network.model import FORMAT, Network


def queue(name, **more):
    return {"name": name, "kind": "queue", **more}


def delay(name):
    return {"name": name, "kind": "delay"}


def load_dependent(name, *multipliers, **more):
    return {"name": name, "kind": "load_dependent", "rate_multipliers": list(multipliers), **more}


def opened(name, rate, **more):
    return {"name": name, "kind": "open", "rate": rate, **more}


def closed(name, population, think_time=0.0):
    return {"name": name, "kind": "closed", "population": population, "think_time": think_time}


def document(stations, classes, demands, visits=None):
    """``demands``: rows of numbers, one row a station."""

    def named(rows):
        return {
            s["name"]: dict(zip((c["name"] for c in classes), row, strict=True))
            for s, row in zip(stations, rows, strict=True)
        }

    result = {"format": FORMAT, "stations": stations, "classes": classes, "demands": named(demands)}
    if visits is not None:
        result["visits"] = named(visits)
    return result


def network(stations, classes, demands, visits=None):
    return Network.from_dict(document(stations, classes, demands, visits))


demand_values = st.one_of(st.floats(1e-4, 5), st.just(0.0))


think_times = st.one_of(st.just(0.0), st.floats(1e-6, 100))


EXAMPLES = settings(max_examples=30, deadline=None)


@st.composite
def stations(draw, kinds=("queue", "many", "delay", "load_dependent")):
    rows = []
    for i in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(kinds))
        if kind == "queue":
            rows.append(queue(f"s{i}", scheduling=draw(st.sampled_from(["ps", "lcfs-pr"]))))
        elif kind == "many":
            rows.append(queue(f"s{i}", servers=draw(st.integers(2, 40))))
        elif kind == "delay":
            rows.append(delay(f"s{i}"))
        else:
            alphas = draw(st.lists(st.floats(0.5, 4), min_size=1, max_size=5))
            rows.append(load_dependent(f"s{i}", *alphas))
    return rows


@st.composite
def networks(draw, opens=2, closeds=2, max_population=12, **kinds):
    rows = draw(stations(**kinds))
    classes = []
    for c in range(draw(st.integers(0 if closeds else 1, opens))):
        classes.append(opened(f"o{c}", draw(st.floats(0.01, 1))))
    for c in range(draw(st.integers(0 if classes else 1, closeds))):
        classes.append(
            closed(f"c{c}", draw(st.integers(1, max_population)), draw(st.floats(0.01, 20)))
        )
    table = np.array([[draw(demand_values) for _ in classes] for _ in rows])
    capacity = np.array([s.capacity for s in network(rows, classes, table).services])
    rates = np.array([c.get("rate", 0.0) for c in classes])
    full = ((table @ rates) / capacity).max(initial=0)
    if full > 0.9:  # open classes leave a tenth
        table[:, rates > 0] *= 0.9 / full
    table[table < 1e-90] = 0
    return network(rows, classes, table.tolist())
