"""Small frames for the live figures of the lessons, and the texts of a figure with its controls moved."""

import copy
import re

import polars as pl
import vl_convert

from pipeline import charts


def texts(spec: dict, **positions: object) -> list[str]:
    """The texts of the picture with the controls at ``positions``."""
    moved = copy.deepcopy(spec)
    params = {param["name"]: param for param in moved["params"]}
    for name, value in positions.items():
        params[name]["value"] = value
    svg = vl_convert.vegalite_to_svg(moved)
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


RUNS = pl.DataFrame(
    [
        # of the recorded study, and one whose host disk was busy longer than the guest's
        ("web-005-a", 0.0107, 0.00735, 0.003884, 0.00212, 0.0368, 0.0209, 0.131, 0.0106, 0.0249, 0.0138, 5.0, None),
        ("db-16-a", 1.08986, 0.06013, 0.03481, 0.02845, 0.879, 0.529, 0.92, 0.42, 3.839, 2.9, None, 16),
        ("web-005-b", 0.0200, 0.00700, 0.00328, 0.00429, 0.0368, 0.0209, 0.131, 0.0106, None, None, 5.0, None),
        ("idle", None, None, None, None, None, None, None, None, None, None, None, None),
    ],
    schema=["run", "R_client_s", "R_cpu_s", "D_vdisk_s", "D_disk_s", "U_vcpu", "U_vdisk_total", "U_qemu",
            "U_disk_total", "N_vdisk", "N_disk", "rate_per_s", "threads"],
    orient="row",
).with_columns(server=pl.lit("first"), virtual_server=pl.lit("web"))  # fmt: skip

FIGURES = {
    "where_time_goes": lambda: charts.where_time_goes(RUNS),
    "littles_law": lambda: charts.littles_law(charts.example_requests()),
}
"""Name of a live figure → a function that draws it."""
