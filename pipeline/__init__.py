"""Queuevisor: from raw logs of a KVM host to a queueing model checked against what the client measured.

The Python API is :mod:`pipeline.api`; each of its names is found here as well::

    import pipeline as qv

    study = qv.open_study("kvm-case-study")

Packages, lowest first; each imports only packages of the lines above its own (``tests/test_layers.py``):

- ``errors``
- ``distributions``, ``escape``, ``files``, ``jsonschema_import``, ``kinds``, ``redact``, ``tables``, ``units``
- ``storage``
- ``workers``
- ``raw``
- ``parse``
- ``ingest``
- ``measure``
- ``cited_models``, ``equations``, ``factors``, ``network``
- ``ledger``
- ``demands``
- ``quality``, ``model``
- ``evaluate``
- ``charts``
- ``api``
- ``course``, ``synthetic``
- ``report``
- ``cli``
"""

from importlib import import_module
from typing import Any

from pipeline.errors import Error

__all__ = ["Error"]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    api = import_module("pipeline.api")
    if name in api.__all__:
        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
