"""Names of columns."""

import pytest

from pipeline.audit.vocabulary import Key, Meaning, NotUnderstood, parse_name


@pytest.mark.parametrize(
    ("name", "key", "factor"),
    [
        ("N", "N", 1),
        ("threads", "N", 1),
        ("X_per_s", "X", 1),
        ("throughput_per_min", "X", 1 / 60),
        ("x_req_per_s", "X", 1),
        ("requests per second", "X", 1),
        ("X [1/s]", "X", 1),
        ("Throughput (req/h)", "X", 1 / 3600),
        ("tps", "X", 1),
        ("R_ms", "R", 1e-3),
        ("Response time [µs]", "R", 1e-6),
        ("r_req_ms", "R", 1e-3),
        ("E[r] (ms)", "R", 1e-3),
        ("mean_response_ms", "R", 1e-3),
        ("Z_s", "Z", 1),
        ("think_time_min", "Z", 60),
        ("lambda_per_s", "lambda", 1),
        ("λ (1/s)", "lambda", 1),
        ("μ_per_s", "mu", 1),
        ("rho", "U", 1),
        ("busy %", "U", 0.01),
        ("CPU %", "U_cpu", 0.01),
        ("E[nq]", "E_nq", 1),
        ("Lq", "E_nq", 1),
        ("E_n", "E_n", 1),
        ("E_w_ms", "E_w", 1e-3),
        ("P(wait)", "P_wait", 1),
        ("D_cpu_ms", "D_cpu", 1e-3),
        ("cpu_demand_s", "D_cpu", 1),
        ("d_disk_req_ms", "D_disk", 1e-3),
        ("U_cpu_percent", "U_cpu", 0.01),
        ("host_cpu_busy_percent", "U_host_cpu", 0.01),
        ("U_disk_total", "U_total_disk", 1),
        ("m_cpu", "m_cpu", 1),
        ("R_vdisk_ns", "R_vdisk", 1e-9),
        ("R_p95_ms", "R_p95", 1e-3),
        ("response_time_p99_ms", "R_p99", 1e-3),
        ("R_p999_ms", "R_p99.9", 1e-3),
        ("median_latency_ms", "R_p50", 1e-3),
        ("R_max_ms", "R_maximum", 1e-3),
        ("R_min_ms", "R_minimum", 1e-3),
        ("R_min", "R", 60),
        ("measured_response_ms", "R_measured", 1e-3),
        ("X_client_per_s", "X_client", 1),
    ],
)
def test_names(name, key, factor):
    meaning = parse_name(name)
    assert isinstance(meaning, Meaning), meaning
    assert str(meaning.key) == key
    assert meaning.factor == pytest.approx(factor)
    assert meaning.bound == 0


@pytest.mark.parametrize(("name", "bound"), [("R_ms_low", 1), ("R_low_ms", 1), ("R_high_ms", 2)])
def test_bounds(name, bound):
    assert parse_name(name) == Meaning(Key("R"), 1e-3, "ms", bound)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("colour", "unknown name"),
        ("throughtput_per_s", "like throughput_per_s"),
        ("R", "R_ms"),
        ("X", "X_per_s"),
        ("X_ms", "cannot be in ms"),
        ("N_percent", "cannot be in percent"),
        ("X_sd_per_s", "unknown name"),
        ("R_error", "unknown name"),
        ("D_vdisk_net_s", "unknown name"),
        ("<script>", "unknown name"),
        ("", "unknown name"),
    ],
)
def test_names_without_meaning(name, reason):
    meaning = parse_name(name)
    assert isinstance(meaning, NotUnderstood)
    assert reason in meaning.reason
