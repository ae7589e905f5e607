"""CPU seconds of the ingest of one run in this process, as JSON: ``time_ingest.py RAW RUN PROCESSED TIMES``."""

from __future__ import annotations

import json
import sys
import time

from pipeline import ingest, raw


def main() -> None:
    """The median of several calls; the first, with imports, is not timed."""
    folder, run_id, processed, times = sys.argv[1:]
    (run,) = raw.select_runs(folder, [run_id])
    taken = []
    for _ in range(int(times) + 1):
        began = time.process_time()
        (row,) = ingest.ingest([run], processed, force=True).to_dicts()
        taken.append(time.process_time() - began)
        assert row["status"] in ("ingested", "repaired"), row
    print(json.dumps({"cpu_s": sorted(taken[1:])[int(times) // 2], "rows": row["rows"]}))


if __name__ == "__main__":
    main()
