"""Which quantities depend on which."""

from pipeline.ledger.catalogue import ORDER, dependents_of


def test_dependents_of_the_hosts_disk():
    assert dependents_of(["T_disk"]) == {
        "T_disk", "U_disk_total", "U_disk_req", "D_disk_req", "R_disk", "R_req", "error_R", "X_mva",
    }  # fmt: skip
    assert dependents_of(["R_client"]) == {"R_client", "N_client", "error_R"}
    assert dependents_of(["all"]) == set(ORDER)
