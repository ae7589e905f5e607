"""Queuevisor: from raw logs of a KVM host to a queueing model checked against what the client measured.

The rooms, ground floor first; each imports only from floors below it:
``tables``, ``units`` · ``raw`` · ``parse`` · ``ingest`` · ``measure`` · ``equations`` · ``network`` ·
``demands``, ``validate`` · ``charts``, ``report`` · ``cli``.
"""

from pipeline.errors import Error

__all__ = ["Error"]
__version__ = "0.2.0"
