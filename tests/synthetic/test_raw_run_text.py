"""A simulated run is parsed without rejects; the same seed writes the same text."""

from pipeline.synthetic.host import simulate_run
from pipeline.synthetic.raw_run_text import render_run_files
from pipeline.synthetic.study import FIRST_RUN_NS


def test_run_is_parsed_without_rejects(simulated):
    assert simulated.run.problems() == []
    assert simulated.outcome.problems == []
    assert simulated.outcome.warnings == []
    assert "rejects" not in simulated.outcome.frames
    for log in simulated.outcome.logs:
        assert log["rejects"] == 0
        assert log["record_lines"] + log["headers"] == log["lines"]
    assert len(simulated.outcome.logs) == 4 * 3 + 2 + len(simulated.loaded())


def test_the_same_seed_writes_the_same_text(simulated):
    history = simulated.history
    again = simulate_run(history.plan, "first", "run", history.seed)
    assert render_run_files(again, "known", FIRST_RUN_NS) == simulated.files
    files_of_seed_12 = render_run_files(
        simulate_run(history.plan, "first", "run", 12), "known", FIRST_RUN_NS
    )
    assert all(
        files_of_seed_12[name] != text
        for name, text in simulated.files.items()
        if ".log" in name and text
    )
