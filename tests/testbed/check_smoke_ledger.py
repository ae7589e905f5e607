"""Check the ledger of a smoke run, as `queuevisor ledger --format json` writes it.

    check_smoke_ledger.py FILE

Exit code 0 if each number that a web run of 10 s must have is present and within its range, else 1.
"""

import json
import sys
from pathlib import Path

RANGES = {
    ("lambda_total", None): (20, 200),
    ("T", None): (5, 60),
    ("T_cpu", "kept"): (0.01, 60),
    ("R_cpu", "kept"): (1e-5, 1),
    ("U_vdisk_total", "kept"): (0, 1.05),
    ("U_disk_total", "kept"): (0, 1.05),
    ("X_req", None): (1, 50),
    ("R_client", None): (1e-4, 5),
}
"""Quantity and background: smallest and largest value."""


def main(file: str) -> int:
    """Print each value, then those out of range; return the exit code."""
    rows = json.loads(Path(file).read_text())
    values = {(row["quantity"], row["background"]): row["value"] for row in rows}
    errors = []
    for (quantity, background), (low, high) in RANGES.items():
        value = values.get((quantity, background))
        print(f"{quantity:15} {background or '':18} {value}")
        if value is None or not low <= value <= high:
            errors.append(f"{quantity} is {value}, not in [{low}, {high}]")
    print(*errors, sep="\n")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
