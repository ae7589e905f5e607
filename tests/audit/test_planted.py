"""Random consistent tables: no finding as printed, a finding wherever one number is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit import audit_table
from pipeline.network.service import erlang_c

FACTORS = st.sampled_from([0.1, 0.5, 1.5, 1000 / 60, 1000])
SIGNIFICANT = st.integers(4, 7)


def numbers(low, high):
    return st.floats(low, high, allow_nan=False)


@st.composite
def queues(draw):
    """M/M/m in consistent units: every column follows from three others."""
    servers, rho, mu = draw(st.integers(1, 8)), draw(numbers(0.3, 0.9)), draw(numbers(1, 1000))
    rate = rho * mu * servers
    wait_probability = float(erlang_c(servers, rate / mu))
    queue = wait_probability * rho / (1 - rho)
    return {
        "lambda_per_s": rate, "mu_per_s": mu, "m": servers, "rho": rho, "P_wait": wait_probability, "E_nq": queue,
        "E_n": queue + rho * servers, "E_w_ms": 1e3 * queue / rate, "R_ms": 1e3 * (queue / rate + 1 / mu),
    }  # fmt: skip


@st.composite
def networks(draw):
    """An open network of a CPU and a disk, and the population that a closed one would have."""
    x, u_cpu, u_disk = draw(numbers(1, 1000)), draw(numbers(0.05, 0.9)), draw(numbers(0.05, 0.9))
    d_cpu, d_disk = u_cpu / x, u_disk / x
    r_cpu, r_disk = d_cpu / (1 - u_cpu), d_disk / (1 - u_disk)
    response = r_cpu + r_disk
    return {
        "X_per_s": x, "D_cpu_ms": 1e3 * d_cpu, "D_disk_ms": 1e3 * d_disk, "U_cpu_percent": 100 * u_cpu,
        "U_disk": u_disk, "R_cpu_ms": 1e3 * r_cpu, "R_disk_ms": 1e3 * r_disk, "R_ms": 1e3 * response,
    }  # fmt: skip


@st.composite
def closed(draw):
    """A closed workload: N = X (R + Z)."""
    x, response, think = draw(numbers(1, 1000)), draw(numbers(0.01, 10)), draw(numbers(0.5, 2))
    return {
        "X_per_min": 60 * x, "R_ms": 1e3 * response, "Z_s": think * response,
        "N": x * response * (1 + think),
    }  # fmt: skip


def printed(row, digits):
    """The row's numbers, rounded to significant digits."""
    return {name: f"{value:.{digits}g}" for name, value in row.items()}


def as_csv(rows, model):
    names = ["model", *rows[0]]
    lines = [",".join([model, *row.values()]) for row in rows]
    return "\n".join([",".join(names), *lines]) + "\n"


TABLES = {"M/M/m": queues(), "open": networks(), "": closed()}


@pytest.mark.parametrize("model", TABLES)
@settings(max_examples=15)
@given(data=st.data())
def test_a_wrong_number_is_found_and_a_rounded_one_is_not(tmp_path_factory, model, data):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    digits = data.draw(SIGNIFICANT)
    rows = [
        printed(row, digits) for row in data.draw(st.lists(TABLES[model], min_size=2, max_size=4))
    ]
    path.write_text(as_csv(rows, model))
    assert audit_table(path).findings.rows() == []

    place = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(sorted(rows[place])))
    wrong = data.draw(FACTORS) * float(rows[place][name])
    rows[place] |= {name: f"{wrong:.{digits}g}"}
    path.write_text(as_csv(rows, model))
    findings = audit_table(path).findings
    assert set(findings["row"]) == {place + 1}
