"""Every live figure: a valid specification with bound, labelled controls and an alternative text."""

import json

import pytest
from teaching_figures import FIGURES

from pipeline import charts


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_valid_and_each_control_has_a_label(name):
    spec = charts.with_theme(FIGURES[name]())
    json.dumps(spec, allow_nan=False)
    bound = {param["name"] for param in spec["params"] if "bind" in param}
    assert bound
    if "usermeta" in spec:  # else a page takes the names of the inputs
        shown = [control for group in spec["usermeta"]["controls"] for control in group["controls"]]
        assert {control["name"] for control in shown} == bound
        assert all(control["label"] for control in shown)
    assert len(charts.alt_text_of(spec)) > 60
