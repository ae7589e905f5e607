"""What the testbed tells its user: one line at a time, with the time."""

from __future__ import annotations

import sys
import time


def say(text: str) -> None:
    """One line on standard error."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
