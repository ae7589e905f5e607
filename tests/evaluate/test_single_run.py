"""Whether the model is usable for a run, by its checks and its error."""

import polars as pl
import pytest
from quality.samples import GOOD, failed

from pipeline.evaluate.single_run import model_usable
from pipeline.quality.check import INCONCLUSIVE, checks_frame, not_evaluated


@pytest.mark.parametrize(
    ("checks", "error", "answer"),
    [
        ([GOOD], None, "yes"),
        ([GOOD], 0.14, "yes"),
        ([GOOD], -0.16, "with caveats"),
        ([GOOD], 0.6, "no"),
        ([GOOD], float("inf"), "no"),
        ([GOOD, failed()], None, "with caveats"),
        ([GOOD, failed(result=INCONCLUSIVE, blocking=True)], None, "yes"),
        ([GOOD, failed(blocking=True)], 0.01, "no"),
        ([GOOD, not_evaluated("two", "why", ("R_req",))], None, "yes"),
        ([GOOD, not_evaluated("two", "why", ("R_req",), blocking=True)], None, "with caveats"),
        ([], None, "with caveats"),
    ],
)
def test_whether_the_model_is_usable(checks, error, answer):
    found = model_usable(checks_frame("web", checks), "web", error)
    assert found.answer == answer
    assert bool(found.reasons) is (answer != "yes")


def test_blocking_reasons_come_first_and_other_servers_do_not_count():
    checks = pl.concat([
        checks_frame("web", [failed(flag="small"), failed(flag="large", blocking=True)]),
        checks_frame("db", [failed(flag="of others")]),
    ])  # fmt: skip
    assert model_usable(checks, "web").reasons == ("large", "small")
