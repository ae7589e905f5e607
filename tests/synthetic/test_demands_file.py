"""The demands file: keys, invalid values."""

import re
from dataclasses import fields

import pytest

from pipeline.synthetic import plan as plans
from pipeline.synthetic.demands_file import EXAMPLE, parse_plan
from pipeline.synthetic.plan import PlanError
from synthetic.helpers import SMALL


def test_the_example_is_a_plan():
    plan = parse_plan(EXAMPLE)
    assert list(plan.servers) == ["first", "second"]
    assert plan.virtual_servers["db"].scaled_to(plan.servers["second"]).disk_s == pytest.approx(
        0.009
    )
    assert plan.runs["web-020-even"]["web"].arrivals == "even"


def test_every_key_is_explained(root):
    page = (root / "docs/background/ground-truth.md").read_text()
    for record in (
        plans.VirtualServer, plans.Background, plans.Server, plans.Monitoring, plans.Load, plans.Plan,
    ):  # fmt: skip
        for field in fields(record):
            if field.name not in ("name", "monitoring", "arrivals_scv"):
                assert f"`{field.name}`" in page, f"{record.__name__}.{field.name}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other/1"}, "format"),
        ({"secnds": 3}, "secnds is unknown"),
        ({"seconds": -1}, "seconds must be a number from 0"),
        ({"seconds": 0.5}, "seconds must be 1 or more"),
        ({"runs": {}}, "runs is missing or empty"),
        ({"runs": {"one": {"mail": {}}}}, "runs.one.mail: unknown virtual server"),
        ({"runs": {"one": {"web": {}}}}, "runs.one.web.rate_per_s: must be above 0"),
        ({"runs": {"one": {"db": {}}}}, "runs.one.db.threads: must be at least 1"),
        ({"runs": {"one": {"web": {"rate_per_s": 0.01}}}}, "less than one request in 10 s"),
        ({"runs": {"one": {"web": {"rate_per_s": 1e6}}}}, "more than 2000000 requests"),
        ({"runs": {"one": {"web": {"rate_per_s": 1e12}}}}, "rate_per_s must be a number from 0"),
        ({"runs": {"one": {"db": {"threads": 2**62}}}}, "threads must be a whole number from 1"),
        ({"seconds": 3e7}, "seconds must be a number from 0 to 86400"),
        ({"before_seconds": 8e4, "interval_s": 0.1}, "more than 200000 snapshots"),
        ({"runs": {str(n): {} for n in range(10_001)}}, "runs: more than 10000"),
        ({"runs": {"one": {"web": {"rate_per_s": 5, "arrivals": "odd"}}}}, "even, poisson or a c²"),
        ({"runs": {"one": {"web": {"rate_per_s": 5, "rate": 5}}}}, "rate is unknown"),
        ({"runs": {"../one": {"web": {"rate_per_s": 5}}}}, "has an unsafe name"),
        ({"cpu_counter": "sampled"}, "scheduling: must be fcfs"),
        ({"disk_counter": "guessed"}, "must be one of exact, jiffies, sampled"),
        ({"server_logs": 1}, "must be true or false"),
    ],
)
def test_invalid_file_is_refused(change, message):
    with pytest.raises(PlanError, match=re.escape(message)):
        parse_plan({**SMALL, **change})


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ({"cpu_s": 0.01}, "virtual_servers.web.kind is missing"),
        ({"kind": "open"}, "virtual_servers.web.cpu_s is missing"),
        ({"kind": "open", "cpu_s": "1 ms"}, "must be a number"),
        ({"kind": "open", "cpu_s": 0.01, "write_share": 1.5}, "a share below 1 (got 1.5)"),
        ({"kind": "open", "cpu_s": 0.01, "operation_bytes": 1000}, "whole sectors"),
        ({"kind": "open", "cpu_s": 0.01, "queue_depth": 0}, "whole number from 1"),
        ({"kind": "open", "cpu_s": 0.01, "queue_depth": 2**62}, "whole number from 1 to 10000"),
        ({"kind": "open", "cpu_s": 0.01, "disk_operations": 1e9}, "a number from 0 to 10000"),
        ({"kind": "open", "cpu_s": 1e5}, "take more than 200000 snapshots"),
        (
            {"kind": "open", "cpu_s": 0.01, "background": {"other_operations_per_s": 1e6}},
            "other_operations_per_s: more than 10000000",
        ),
        ({"kind": "open", "cpu_s": 0.01, "host_disk": "../sda"}, "not a safe name"),
        ({"kind": "open", "cpu_s": 0.01, "background": {"cpu": 1}}, "background.cpu is unknown"),
    ],
)
def test_invalid_virtual_server_is_refused(server, message):
    with pytest.raises(PlanError, match=re.escape(message)):
        parse_plan(
            {**SMALL, "virtual_servers": {"web": server, "db": SMALL["virtual_servers"]["db"]}}
        )
