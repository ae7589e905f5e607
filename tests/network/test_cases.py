"""Published cases with their full-precision answers."""

import json
from pathlib import Path

import pytest

from pipeline.network.model import Network
from pipeline.network.solve import solve

CASES = json.loads((Path(__file__).parent / "queueing-cases.json").read_text())["cases"]


def compare(path, expected, found, tolerance):
    if isinstance(expected, dict):
        for key, value in expected.items():
            compare(f"{path}.{key}", value, found[key], tolerance)
    elif isinstance(expected, list):
        for row in expected:
            (match,) = (r for r in found if r["population"] == row["population"])
            compare(f"{path}[{row['population']}]", row, match, tolerance)
    else:
        rel, tiny = tolerance.get("rel", 0), tolerance.get("abs", 0)
        assert abs(found - expected) <= tiny + rel * abs(expected), path


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case):
    answer = solve(Network.from_dict(case["model"]), case["method"]).to_dict()
    compare(case["id"], case["expected"], answer, case["tolerance"])
    assert answer["exact"] is (case["method"] == "exact")
    assert answer["method"] == case["method"]


TABLE_V = [
    (2, 1.4319, 1.5195),
    (5, 3.3432, 3.5582),
    (10, 5.7569, 6.1410),
    (20, 8.0856, 8.6467),
    (80, 9.7147, 9.8594),
]


def test_geometric_square_root_bounds_with_think_time():
    """Casale, Muntz and Serazzi 2008, table V: Z = 1."""
    (case,) = (c for c in CASES if c["id"] == "bounds_geometric_casale_table4")
    model = json.loads(json.dumps(case["model"]))
    model["classes"][0]["think_time"] = 1.0
    rows = solve(Network.from_dict(model), "bounds").to_dict()["bounds"]["geometric"]
    for population, lower, upper in TABLE_V:
        row = rows[population - 1]
        assert row["X_lower"] == pytest.approx(lower, abs=1e-4)
        assert row["X_upper"] == pytest.approx(upper, abs=1e-4)


def test_300_servers_400_customers():
    """All servers are busy all the time: X = 300 / 0.444 s."""
    (case,) = (c for c in CASES if c["id"] == "closed_pdq_aws_300_servers")
    answer = solve(Network.from_dict(case["model"]))
    assert answer.throughput[0] == pytest.approx(300 / 0.444, rel=1e-12)
