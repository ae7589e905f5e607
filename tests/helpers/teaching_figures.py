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


def combinations() -> pl.DataFrame:
    """Rows of two ledgers: R_req in four combinations and one by MVA, and R of the client."""
    rows = [
        ("web", "R_req", 0.0138, None, "service-demand", "own", "kept", "sum"),
        ("web", "R_req", 0.0116, None, "service-demand", "own", "kept", "nested"),
        ("web", "R_req", 0.0107, "as-printed", "as-printed", "own", "kept", "sum"),
        ("web", "R_req", 0.0094, None, "as-printed", "own", "kept", "nested"),
        ("web", "R_client", 0.0107, None, None, None, None, None),
        ("web", "R_cpu", 0.00735, None, None, None, "kept", None),
        ("db", "R_req", 0.186, None, "service-demand", "own", "kept", "sum"),
        ("db", "R_req", None, None, "service-demand", "own", "kept", "nested"),
        ("db", "R_req", 0.0642, "as-printed", "as-printed", "own", "kept", "sum"),
        ("db", "R_req", 0.961, "corrected", "service-demand", None, "off", "nested"),
        ("db", "R_client", 1.09, None, None, None, None, None),
        ("none", "R_req", 0.961, None, "service-demand", None, "off", "nested"),
    ]
    schema = ["run", "quantity", "value", "variant", "demand", "denominator", "background", "sum"]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(server=pl.lit("first"), virtual_server=pl.col("run"))


PUBLISHED = pl.DataFrame(
    [
        ("I", "first", "web", 0.75, 0.33, 1.6, 5.0),
        ("I", "first", "db", 3.8, 9.7, 2.2, 77.5),
        ("II", "second", "web", 3.65, 12.3, 3.7, 5.0),
        ("II", "second", "db", 4.97, 26.3, 32.0, 54.7),
    ],
    schema=["table", "server", "virtual_server", "r_cpu_ms", "r_vdisk_ms", "r_disk_ms", "x_req_per_s"],
    orient="row",
)  # fmt: skip
"""Tables I and II of the paper."""
CLOSED = pl.DataFrame(
    [
        # of the recorded study: threads, R and X of the client, CPU, guest's disk and host's disk
        ("db-01-sweep", 1, 0.09208, 10.86, 0.05369, 0.03589, 0.02483),
        ("db-32-sweep", 32, 1.38578, 23.0, 0.03870, 0.02915, 0.02428),
        ("db-01-sweep-7", 1, 0.07226, 13.84, 0.03990, 0.02999, 0.02565),
        ("db-32-sweep-7", 32, 1.26974, 25.15, 0.03528, 0.02721, 0.02511),
        ("db-16-a", 16, 1.08986, 14.66, 0.06008, 0.03475, 0.02835),
        ("db-08-sweep-7", 8, None, 24.0, 0.03420, 0.02981, 0.02540),
    ],
    schema=["run", "threads", "R_client_s", "X_client_per_s", "R_cpu_net_s", "D_vdisk_net_s", "D_disk_net_s"],
    orient="row",
).with_columns(server=pl.lit("first"))  # fmt: skip
REPEATED = pl.DataFrame(
    {
        "run": [
            f"web-{load}" + (f"-{number}" if number > 1 else "")
            for load in ("016-even", "021-even", "026-even", "026-poisson")
            for number in range(1, 7)
        ],
        "R_client_s": [
            0.0280, 0.0212, 0.0297, 0.0225, 0.0137, 0.0111,
            0.0330, 0.0328, 0.0534, 0.0214, 0.0219, 0.0124,
            0.0345, 0.0365, 0.0577, 0.0183, 0.0175, 0.0132,
            0.0455, 0.1499, 0.1360, 0.0217, 0.0257, 0.0146,
        ],
    }
)  # fmt: skip
"""Four loads of the second server, six repetitions each."""
FACTORIAL = pl.DataFrame(
    {
        "server": ["first"] * 4 + ["second"] * 4,
        "run": ["web-005-a", "web-005-b", "both-005-16-a", "both-005-16-b"] * 2,
        "R_client_s": [0.0107, 0.0099, 0.0240, 0.0208, 0.0199, 0.0247, 0.0712, 0.0672],
    }
)
"""A 2² design of server and neighbour, two runs in each cell."""

CPU_VIEWS = pl.DataFrame(
    [
        ("first", "web-a", "web", 100.0, 5.0, 20.0),
        ("second", "db-a", "db", 100.0, 80.0, 40.0),
        ("second", "db-b", "db", 100.0, 30.0, 20.0),
        ("second", "db-c", "db", 100.0, 9.0, 10.0),
        ("first", "web-a", "db", None, None, 9.0),
    ],
    schema=["server", "run", "virtual_server", "T_s", "T_cpu_s", "T_qemu_s"],
    orient="row",
)
"""CPU time of three runs with a load and one without."""

FIGURES = {
    "where_time_goes": lambda: charts.where_time_goes(RUNS),
    "littles_law": lambda: charts.littles_law(charts.example_requests()),
    "variants_beside_client": lambda: charts.variants_beside_client(combinations()),
    "single_queue": lambda: charts.single_queue(0.0025, 80.0, title="One queue"),
    "audit": lambda: charts.audit(PUBLISHED),
    "closed": lambda: charts.closed(CLOSED),
    "cpu_views": lambda: charts.cpu_views(CPU_VIEWS),
    "repetitions": lambda: charts.repetitions(REPEATED),
    "interaction": lambda: charts.interaction(FACTORIAL),
    "one_queue": charts.one_queue,
    "arrivals": charts.arrivals,
    "closed_what_if": lambda: charts.closed_what_if(CLOSED.filter(run="db-16-a")),
}
"""Name of a live figure → a function that draws it."""
