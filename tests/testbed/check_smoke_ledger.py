"""Check the ledger of a smoke run: a guest that was really booted, loaded and recorded."""

import json
import sys
from pathlib import Path


def main(file: str) -> int:
    """Exit code 0 if every number that a 10 s web run must have is there and in its range."""
    rows = json.loads(Path(file).read_text())
    found = {(row["quantity"], row["background"]): row["value"] for row in rows}
    wanted = {
        ("lambda_total", None): (20, 200),
        ("T", None): (5, 60),
        ("T_cpu", "kept"): (0.01, 60),
        ("R_cpu", "kept"): (1e-5, 1),
        ("U_vdisk_total", "kept"): (0, 1.05),
        ("U_disk_total", "kept"): (0, 1.05),
        ("X_req", None): (1, 50),
        ("R_client", None): (1e-4, 5),
    }
    wrong = []
    for key, (low, high) in wanted.items():
        value = found.get(key)
        print(f"{key[0]:15} {key[1] or '':18} {value}")
        if value is None or not low <= value <= high:
            wrong.append(f"{key} is {value}, not in [{low}, {high}]")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
