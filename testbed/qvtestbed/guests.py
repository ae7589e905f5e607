"""The two virtual servers (guests): names, ports, and the size of what they serve."""

GUESTS = ("web", "db")

SSH_PORTS = {"web": 22022, "db": 22023}
SERVICE_PORTS = {"web": 28080, "db": 23306}
"""Ports of 127.0.0.1 on the host, forwarded to `GUEST_SERVICE_PORTS` of the guest."""
GUEST_SERVICE_PORTS = {"web": 80, "db": 3306}

DATABASE_ROWS = 1_000_000
DOCUMENTS = 40_000
DOCUMENT_BYTES = 16_384
