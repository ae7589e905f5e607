"""Import jsonschema without an indirect import that takes half of a notebook's start. Short, because it does only that.

jsonschema, which Altair and nbformat need, builds a grammar of international addresses (1 s of CPU) if JupyterLab has
installed the package for it. No chart and no notebook has such an address. Modules import this one before those.
"""

import sys

GRAMMAR = "rfc3987_syntax"

_is_hidden = sys.modules.setdefault(GRAMMAR, None) is None  # type: ignore[arg-type]
import jsonschema  # noqa: E402, F401

if _is_hidden:
    del sys.modules[GRAMMAR]
