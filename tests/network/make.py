"""Small models for tests."""

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
