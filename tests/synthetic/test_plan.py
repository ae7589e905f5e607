"""Plans that cannot be simulated."""

import pytest

from pipeline.synthetic.demands_file import parse_plan
from pipeline.synthetic.plan import PlanError
from synthetic.helpers import SMALL


def test_two_loads_of_one_kind_are_refused():
    server = SMALL["virtual_servers"]["web"]
    two = {**SMALL, "virtual_servers": {"web": server, "wiki": server}}
    load = {"rate_per_s": 5}
    with pytest.raises(PlanError, match="two loads of the same kind"):
        parse_plan({**two, "runs": {"one": {"web": load, "wiki": load}}})
