"""CPU and wall seconds of a filter on the stored ledgers of a fleet, as JSON: ``filter_ledgers.py PROCESSED``."""

from __future__ import annotations

import json
import sys
import time

from pipeline import api


def main() -> None:
    """The quantity of one symbol in one variant, of all runs: the median of five."""
    api.scan_ledgers(sys.argv[1]).head(1).collect()  # imports
    taken = []
    for _ in range(5):
        wall, cpu = time.monotonic(), time.process_time()
        frame = (
            api.scan_ledgers(sys.argv[1]).filter(quantity="R_disk", variant="corrected").collect()
        )
        taken.append((time.process_time() - cpu, time.monotonic() - wall))
    runs = frame.select("study", "server", "run").n_unique()
    cpu_s, wall_s = (sorted(times)[2] for times in zip(*taken, strict=True))
    print(json.dumps({"cpu_s": cpu_s, "wall_s": wall_s, "rows": frame.height, "runs": runs}))


if __name__ == "__main__":
    main()
