"""Each rule: a row that satisfies it, and one that does not."""

import pytest

from pipeline.audit import AuditError
from pipeline.tables import TableError

CASES = [
    # columns, a true row, a false row, the formula
    ("N,X_per_s,R_ms,Z_s", "16,8,500,1.5", "16,8,500,2.5", "N = X (R + Z)"),
    ("threads,X_per_min,R_ms", "10,600,1000", "10,600,500", "N = X (R + Z)"),
    ("N,X_client_per_s,R_client_ms", "10,10,1000", "10,10,2000", "N = X_client (R_client + Z)"),
    ("lambda_per_s,R_ms,E_n", "20,100,2.0", "20,100,2.2", "E_n = lambda R"),
    ("lambda_per_s,E_w_ms,E_nq", "20,50,1.0", "20,50,1.3", "E_nq = lambda E_w"),
    ("lambda_per_s,mu_per_s,m,rho", "20,10,4,0.500", "20,10,4,0.600", "U = lambda / (m mu)"),
    ("E_n,E_nq,rho,m", "3.5,2.0,0.750,2", "3.5,2.0,0.500,2", "E_n = E_nq + m U"),
    ("E_n,E_nq,lambda_per_s,mu_per_s", "3.5,2.0,15,10", "3.5,2.0,25,10", "E_n = E_nq + lambda / mu"),
    ("E_w_ms,R_ms", "5.0,7.0", "9.0,7.0", "E_w <= R"),
    ("E_w_ms,R_ms,mu_per_s", "50.0,150.0,10.0", "50.0,170.0,10.0", "R = E_w + 1 / mu"),
    ("E_w_ms,R_ms,S_ms", "50.0,150.0,100.0", "50.0,170.0,100.0", "R = E_w + S"),
    ("S_ms,mu_per_s", "100.0,10.0", "120.0,10.0", "S = 1 / mu"),
    ("mu_per_s,R_ms", "10.0,150.0", "10.0,50.0", "1 / mu <= R"),
    ("X_per_s,D_disk_ms,U_disk", "20.0,30.0,0.60", "20.0,30.0,0.70", "U_disk = X D_disk / m"),
    ("X_per_s,D_cpu_ms,U_cpu_percent,m_cpu", "20,150,75,4", "20,150,50,4", "U_cpu = X D_cpu / m"),
    ("X_per_s,D_disk_ms,U_disk_total", "20.0,30.0,0.70", "20.0,30.0,0.50", "X D_disk / m <= U_total_disk"),
    ("U_disk,U_disk_total", "0.30,0.40", "0.50,0.40", "U_disk <= U_total_disk"),
    ("X_per_s,D_cpu_ms", "30,30.0", "40,30.0", "X <= m / D_cpu"),
    ("D_net_ms,R_net_ms", "3.0,4.0", "5.0,4.0", "D_net <= R_net"),
    ("D_disk_ms,U_disk,R_disk_ms", "10.0,0.500,20.0", "10.0,0.500,25.0", "R_disk = D_disk / (1 - U_disk)"),
    ("V_disk,S_disk_ms,D_disk_ms", "4.0,5.0,20.0", "4.0,5.0,30.0", "D_disk = V_disk S_disk"),
    ("X_per_s,V_disk,X_disk_per_s", "10.0,4.0,40.0", "10.0,4.0,50.0", "X_disk = X V_disk"),
    ("X_disk_per_s,S_disk_ms,U_disk", "40.0,10.0,0.40", "40.0,10.0,0.70", "U_disk = X_disk S_disk / m"),
    ("D_cpu_ms,D_disk_ms,R_ms", "3.0,4.0,7.5", "3.0,4.0,6.5", "D_cpu + D_disk <= R"),
    ("N,X_per_s,D_cpu_ms,Z_s", "10,9,20.0,1.0", "10,12,20.0,1.0", "X (D_cpu + Z) <= N"),
    ("R_cpu_ms,R_disk_ms,R_ms", "3.0,4.0,7.0", "3.0,4.0,8.0", "R <= R_cpu + R_disk"),
    ("R_cpu_ms,R_disk_ms,R_ms", "3.0,4.0,7.0", "3.0,4.0,6.0", "R_cpu + R_disk <= R"),
    ("R_vdisk_ms,R_disk_ms", "9.7,2.2", "2.2,9.7", "R_disk <= R_vdisk"),
    ("D_vdisk_ms,D_disk_ms,X_per_s", "9.0,9.5,10", "2.0,9.0,10", "D_disk <= D_vdisk + 0.01 / X"),
    ("R_p50_ms,R_p95_ms", "5.0,9.0", "9.0,5.0", "R_p50 <= R_p95"),
    ("R_ms,R_p95_ms", "5.0,90.0", "5.0,110.0", "R_p95 <= R / 0.05"),
    ("R_ms,R_max_ms", "5.0,9.0", "9.0,5.0", "R <= R_maximum"),
    ("R_ms,R_min_ms", "5.0,3.0", "5.0,6.0", "R_minimum <= R"),
    ("U_cpu", "0.99", "1.30", "U_cpu <= 1"),
    ("busy_percent", "100", "104", "U <= 1"),
    ("U_cpu,N", "0.5,1", "-0.5,1", "0 <= U_cpu"),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "true", "false", "formula"), CASES)
def test_a_false_row_is_found(broken, columns, true, false, formula):
    findings = broken(f"{columns}\n{true}\n{false}\n")
    assert (3, formula) in findings
    assert {line for line, _ in findings} == {3}


def test_models_add_their_formulas(broken):
    head = "model,lambda_per_s,mu_per_s,m,E_nq\n"
    assert broken(f"{head}M/M/1,8.0000,10.0000,1,3.2\nm/m/m,12.0000,10.0000,2,0.675\n") == []
    assert broken(f"{head}M/M/1,8.0000,10.0000,1,3.4\nM/M/c,12.0000,10.0000,2,0.775\n") == [
        (2, "E_nq = M/M/1(lambda, mu)"),
        (3, "E_nq = M/M/m(lambda, mu, m)"),
    ]
    assert broken("model,rho,E_nq\nM/M/1,0.8000,3.2\nM/M/1,0.8000,3.9\n") == [(3, "E_nq = M/M/1(U)")]  # fmt: skip


def test_an_overloaded_model_has_no_finite_queue(audit):
    table = audit("model,lambda_per_s,mu_per_s,E_n\nM/M/1,12.0,10.0,4.0\n")
    assert table.findings["formula"].to_list() == ["E_n = M/M/1(lambda, mu)"]
    assert table.to_dict()["findings"][0]["right_side"] is None


def test_equation_10_is_of_open_workloads(broken):
    head = "N,D_disk_ms,U_disk,R_disk_ms\n"
    assert broken(f"{head}16,10.0,0.500,25.0\n,10.0,0.500,25.0\n") == [
        (3, "R_disk = D_disk / (1 - U_disk)")
    ]
    measured = "D_disk_ms,U_disk,R_disk_ms\n10.0,0.500,25.0\n"
    assert broken(measured, constants={"model": "measured"}) == []


def test_nested_parts_are_a_response_time_too(broken):
    head = "R_cpu_ms,R_vdisk_ms,R_disk_ms,R_ms\n"
    assert broken(f"{head}3.0,9.0,2.0,12.0\n3.0,9.0,2.0,14.0\n") == []
    assert broken(f"{head}3.0,9.0,2.0,11.0\n3.0,9.0,2.0,16.0\n") == [
        (2, "R_cpu + max(R_vdisk, R_disk) <= R"),
        (3, "R <= R_cpu + R_vdisk + R_disk"),
    ]


def test_printed_digits_and_intervals_are_allowed_for(broken):
    assert broken("S_ms,mu_per_s\n33,30\n33.3,30\n33.3,30.0\n33.1,30.0\n") == [(5, "S = 1 / mu")]
    head = "S_ms,S_ms_low,S_ms_high,mu_per_s\n"
    assert broken(f"{head}35.0,33.0,37.0,30.0\n35.0,34.0,37.0,30.0\n") == [(3, "S = 1 / mu")]


def test_tolerance_is_of_measured_laws_only(broken):
    table = "N,X_per_s,R_ms,mu_per_s,S_ms\n100,100.0,960.0,100.0,9.6\n"
    assert broken(table) == [(2, "S = 1 / mu")]
    assert broken(table, tolerance=0) == [(2, "N = X (R + Z)"), (2, "S = 1 / mu")]


def test_what_reconciles(audit):
    (text,) = audit("N,X_per_s,R_ms\n10,10.0,2.0\n").findings["reconciled_by"]
    for change in ("N = 0.02", "X_per_s = 5,000 per s", "R_ms = 1,000 ms", "Z = 998 ms"):
        assert change in text
    (text,) = audit("N,X_per_s,R_ms\n10,10.0,1.0\n").findings["reconciled_by"]
    assert "factor of 1,000, as of ms and s" in text
    (text,) = audit("N,X_per_s,R_ms\n10,600.0,1000.0\n").findings["reconciled_by"]
    assert "factor of 60, as of s and min" in text and "Z" not in text
    (text,) = audit("X_per_s,D_cpu_ms,U_cpu\n20.0,30.0,0.15\n").findings["reconciled_by"]
    assert "m_cpu = 4;" in f"{text};"
    (text,) = audit("U_cpu\n45\n").findings["reconciled_by"]
    assert "U_cpu_percent" in text


def test_own_names_and_constants(audit):
    table = "clients online,tp,lat\n10,10.0,500\n"
    options = {"names": {"clients online": "N", "tp": "X_per_s", "lat": "R_ms"}}
    assert audit(table, **options).count == 1
    assert audit(table, **options, constants={"Z_s": "0.5"}).count == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"names": {"nope": "R_ms"}}, "no column 'nope'"),
        ({"names": {"N": "colour"}}, "'colour': unknown name"),
        ({"constants": {"Z_s": "much"}}, "'much' is not a number"),
        ({"constants": {"Z": "1"}}, "unit is missing"),
    ],
)
def test_options_that_cannot_be_used(audit, options, reason):
    with pytest.raises(AuditError, match=reason):
        audit("N,X_per_s,R_ms\n10,10.0,1000\n", **options)


def test_columns_say_how_they_were_read(audit):
    table = audit("N,X_per_s,R_ms,R,throughtput,latency_ms,Z_ms_low\n10,10.0,1000,1,2,3,4\n")
    columns = {name: (read_as, reason) for name, read_as, reason in table.columns.rows()}
    assert columns["N"] == ("N", "")
    assert columns["R"][1].startswith("its unit is missing")
    assert columns["latency_ms"][1] == "the same quantity as R_ms, which is checked"
    assert columns["Z_ms_low"][1] == "no check uses it"
    assert columns["throughtput"] == ("", "unknown name; like throughput_per_s")


def test_a_table_without_anything_to_check(audit):
    with pytest.raises(AuditError, match="no check can be made"):
        audit("colour,R_ms\nred,5\n")


def test_text_in_a_column_of_numbers(audit):
    with pytest.raises(TableError, match=r"table.csv:3: column 'R_ms': .* not '12 ms'"):
        audit("N,X_per_s,R_ms\n1,2,3\n1,2,12 ms\n")


def test_missing_values_are_not_checked(audit):
    table = audit("N,X_per_s,R_ms\n10,,1000\n10,10.0,\n10,10.0,1000\nn/a,1.0,1\n")
    assert table.checks.filter(check="Little's law")["rows"].item() == 1
    assert table.count == 0


def test_all_findings_are_counted(audit, monkeypatch):
    monkeypatch.setattr("pipeline.audit.result.MAX_FINDINGS", 5)
    table = audit("N,X_per_s,R_ms\n" + "10,10.0,1.0\n" * 20)
    assert (table.count, table.row_count, table.findings.height) == (20, 20, 5)


def test_a_demand_of_one_operation_is_no_error(broken):
    """Equation 9 as printed."""
    head = "X_per_s,X_disk_per_s,D_disk_ms,U_disk\n"
    assert broken(f"{head}10.0,40.0,10.0,0.400\n10.0,40.0,40.0,0.400\n10.0,40.0,20.0,0.400\n") == [
        (4, "U_disk = X D_disk / m")
    ]


def test_the_denominator_of_equation_10_may_be_either(broken):
    head = "D_disk_ms,U_disk,U_disk_total,R_disk_ms\n"
    assert broken(
        f"{head}10.0,0.400,0.500,16.7\n10.0,0.400,0.500,20.0\n10.0,0.400,0.500,25.0\n"
    ) == [(4, "R_disk <= D_disk / (1 - U_total_disk)")]
