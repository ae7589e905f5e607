"""Equations (1) to (10): values by hand, values implied by the published tables, and laws as properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import equations as eq

positive = st.floats(1e-6, 1e6)
fraction = st.floats(0, 0.999)


def test_cpu_equations_by_hand():
    assert eq.cpu_residence_time(0.45, 600) == pytest.approx(0.00075)


def test_disk_equations_by_hand():
    assert eq.disk_utilization(30.0, 120.0) == 0.25
    assert eq.bytes_read(1000, 3000) == 2000 * 512
    assert eq.bytes_written(5, 5) == 0
    assert eq.bytes_transferred(2000 * 512, 512) == 2001 * 512
    assert eq.server_share(512, 2048) == 0.25
    assert eq.server_disk_utilization(0.25, 0.4) == pytest.approx(0.1)
    assert eq.throughput(600, 120) == 5.0
    assert eq.disk_residence_time(0.02, 0.5) == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("variant", "demand"),
    [("service-demand", 0.1 / 5), ("as-printed", 0.1 / 50), ("per-operation", 0.1 / (0.25 * 50))],
)
def test_three_variants_of_equation_9(variant, demand):
    result = eq.disk_demand(0.1, variant, requests_per_s=5, operations_per_s=50, share=0.25)
    assert result == pytest.approx(demand)


def test_two_variants_of_the_sum():
    assert eq.response_time(0.004, 0.010, 0.002, "as-printed") == pytest.approx(0.016)
    assert eq.response_time(0.004, 0.010, 0.002, "nested") == pytest.approx(0.014)
    assert eq.virtualization_share(0.010, 0.002) == pytest.approx(0.008)
    assert eq.virtualization_share(0.002, 0.010) == 0


def test_unknown_variant_is_refused():
    with pytest.raises(ValueError, match=r"variant of equation 9 .*'guess'"):
        eq.disk_demand(0.1, "guess", requests_per_s=1, operations_per_s=1, share=1)
    with pytest.raises(ValueError, match=r"variant of R_req .*'guess'"):
        eq.response_time(1, 1, 1, "guess")


def test_share_above_one_is_capped_in_the_utilization():
    assert eq.server_share(3000, 1000) == 3
    assert eq.server_disk_utilization(3, 0.4) == pytest.approx(0.4)


def test_undefined_quantities_are_nan_or_infinite():
    assert math.isnan(eq.cpu_residence_time(0, 0))
    assert math.isinf(eq.server_share(1, 0))
    assert eq.server_share(0, 0) == 0
    assert math.isinf(eq.disk_residence_time(0.1, 1.0))
    assert math.isinf(eq.disk_residence_time(0.1, 1.5))
    assert eq.disk_residence_time(0.0, 1.0) == 0


# implied by Tables I and II of the paper, in ms and percent
PUBLISHED = [
    # R (ms), X (1/s), D (ms), U (%)
    (0.33, 5, 0.329, 0.16),
    (1.6, 5, 1.587, 0.79),
    (9.7, 77.5, 5.537, 42.91),
    (2.2, 77.5, 1.880, 14.57),
    (12.3, 5, 11.587, 5.79),
    (3.7, 5, 3.633, 1.82),
    (26.3, 54.7, 10.785, 58.99),
    (32.0, 54.7, 11.635, 63.64),
]


@pytest.mark.parametrize(("residence_ms", "rate", "demand_ms", "utilization_percent"), PUBLISHED)
def test_demands_and_utilizations_implied_by_the_tables(
    residence_ms, rate, demand_ms, utilization_percent
):
    demand = eq.demand_from_residence_time(residence_ms / 1000, rate)
    assert round(float(demand) * 1000, 3) == demand_ms
    assert round(float(eq.utilization_from_demand(demand, rate)) * 100, 2) == utilization_percent


@given(positive, st.floats(0, 1e3))
def test_demand_from_residence_time_inverts_equation_10(residence, rate):
    demand = eq.demand_from_residence_time(residence, rate)
    utilization = eq.utilization_from_demand(demand, rate)
    if utilization < 1 - 1e-9:
        assert eq.disk_residence_time(demand, utilization) == pytest.approx(residence, rel=1e-5)


@given(positive, st.integers(1, 10**6), positive)
def test_the_service_demand_law_needs_no_window(busy, requests, window):
    """D = U / X = busy / requests, whatever T is."""
    utilization = eq.disk_utilization(busy, window)
    demand = eq.disk_demand(
        utilization,
        "service-demand",
        requests_per_s=eq.throughput(requests, window),
        operations_per_s=1.0,
        share=1.0,
    )
    assert demand == pytest.approx(busy / requests)


@given(positive, fraction)
def test_residence_time_is_never_below_demand(demand, utilization):
    assert eq.disk_residence_time(demand, utilization) >= demand


@given(positive, positive, positive)
def test_nested_sum_is_at_most_the_printed_sum(cpu, virtual, physical):
    nested = eq.response_time(cpu, virtual, physical, "nested")
    assert nested <= eq.response_time(cpu, virtual, physical, "as-printed")
    assert nested == pytest.approx(
        cpu + eq.virtualization_share(virtual, physical) + physical
    )  # the layer adds the difference


@given(positive, st.floats(0, 1e5), positive, positive)
def test_net_of_background_is_between_zero_and_used(used, idle_used, idle_s, window_s):
    net = eq.net_of_background(used, idle_used, idle_s, window_s)
    assert 0 <= net <= used


def test_equations_take_arrays():
    value_low_high = np.array([0.02, 0.01, 0.03])
    assert eq.disk_residence_time(value_low_high, 0.5).tolist() == [0.04, 0.02, 0.06]
    little = eq.population_from_response_time(np.array([0.1, 0.2]), 5.0, 0.1)
    assert little == pytest.approx([1.0, 1.5])
