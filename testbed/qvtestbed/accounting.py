"""The kernel's delay accounting, counted together with the collectors: whoever is the last to need it puts it back."""

from __future__ import annotations

import importlib.util

from .config import COLLECTORS

_spec = importlib.util.spec_from_file_location("queuevisor_delays", COLLECTORS / "delays.py")
delays = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(delays)
