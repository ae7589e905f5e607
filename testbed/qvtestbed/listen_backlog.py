"""Lengthen the listen backlog of QEMU's forwarded ports.

QEMU's user network listens with a backlog of 1. If 16 threads connect at the same moment, some connections are
dropped and retried after 1, 3, 7, 15 and 31 s, which would be measured as response time of the server. listen() may be
called again on a listening socket with a longer backlog; this module duplicates QEMU's sockets (pidfd_getfd,
Linux 5.6) and does so.
"""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

PIDFD_GETFD = 438
BACKLOG = 1024


def duplicate_descriptor(pidfd: int, descriptor: int) -> int | None:
    """Duplicate a file descriptor of another process into this one; None if refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    duplicate = libc.syscall(PIDFD_GETFD, pidfd, descriptor, 0)
    return None if duplicate < 0 else duplicate


def set_backlog(pid: int, ports: set[int], backlog: int = BACKLOG) -> set[int]:
    """Set the backlog of a process's listening TCP sockets on these ports; return the ports that were set."""
    ports_set = set()
    pidfd = os.pidfd_open(pid)
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if not str(entry.readlink()).startswith("socket:"):
                    continue
            except OSError:
                continue
            duplicate = duplicate_descriptor(pidfd, int(entry.name))
            if duplicate is None:
                continue
            with socket.socket(fileno=duplicate) as connection:
                if (
                    connection.family == socket.AF_INET
                    and connection.type == socket.SOCK_STREAM
                    and connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                    and connection.getsockname()[1] in ports
                ):
                    connection.listen(backlog)
                    ports_set.add(connection.getsockname()[1])
    finally:
        os.close(pidfd)
    return ports_set
