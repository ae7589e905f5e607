"""Import Altair without an indirect import that takes half of a notebook's start. Short, because it does only that.

jsonschema, which Altair needs, builds a grammar of international addresses (2 s of CPU) if JupyterLab has installed
the package for it. No chart has such an address. ``pipeline.charts`` imports this module before Altair.
"""

import sys

GRAMMAR = "rfc3987_syntax"

_is_hidden = sys.modules.setdefault(GRAMMAR, None) is None  # type: ignore[arg-type]
import altair  # noqa: E402, F401

if _is_hidden:
    del sys.modules[GRAMMAR]
