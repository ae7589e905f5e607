"""Progress messages of the testbed."""

from __future__ import annotations

import sys
import time


def print_status(text: str) -> None:
    """Write one line with the time of day to standard error."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
