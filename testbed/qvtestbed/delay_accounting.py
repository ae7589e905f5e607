"""The kernel's delay accounting, counted together with the collectors: whoever is the last to need it puts it back."""

from __future__ import annotations

import sys

from .paths import COLLECTORS

sys.path.append(str(COLLECTORS / "agent"))  # a folder of scripts that stands by itself, no package

import delay_accounting as delays

__all__ = ["delays"]
