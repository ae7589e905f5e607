"""The kernel's delay accounting, as the collectors switch it: on while a registered process needs it, then as before.

The module ``agent`` is collectors/agent/delay_accounting.py, so that guests and collectors are in one register.
"""

from __future__ import annotations

import sys

from .paths import COLLECTORS

sys.path.append(str(COLLECTORS / "agent"))  # a folder of scripts that stands by itself, no package

import delay_accounting as agent

__all__ = ["agent"]
