"""``queuevisor report``: pages that do not exist."""


def test_a_page_that_is_not_there_is_exit_code_2_and_names_those_that_are(one_run):
    done = one_run.queuevisor("report", "--only", "nonsense")
    assert done.returncode == 2
    assert "validate_model" in done.stderr
    assert "compare_servers" not in done.stderr, "one server is compared with nothing"
    done = one_run.queuevisor("report", "no-such-study")
    assert done.returncode == 2
    assert "kvm-case-study" in done.stderr
