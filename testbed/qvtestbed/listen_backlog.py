"""Give QEMU's forwarded ports a real queue of waiting connections.

QEMU's user network listens with a backlog of one: of 16 threads that connect at the same moment,
some are dropped and come again after 1, 3, 7, 15 and 31 seconds, which would be measured as the
server's response time. listen() may be called again on a listening socket with a longer backlog;
so we borrow QEMU's sockets (pidfd_getfd, Linux 5.6) and do just that.
"""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

PIDFD_GETFD = 438
BACKLOG = 1024


def borrow(pidfd: int, number: int) -> int | None:
    """Our copy of another process's file descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    copy = libc.syscall(PIDFD_GETFD, pidfd, number, 0)
    return None if copy < 0 else copy


def widen(pid: int, ports: set[int], backlog: int = BACKLOG) -> set[int]:
    """Lengthen the queue of those of a process's listening sockets that are on these ports;
    returns the ports found."""
    found = set()
    pidfd = os.pidfd_open(pid)
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if not str(entry.readlink()).startswith("socket:"):
                    continue
            except OSError:
                continue
            copy = borrow(pidfd, int(entry.name))
            if copy is None:
                continue
            with socket.socket(fileno=copy) as link:
                if (
                    link.family == socket.AF_INET
                    and link.type == socket.SOCK_STREAM
                    and link.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                    and link.getsockname()[1] in ports
                ):
                    link.listen(backlog)
                    found.add(link.getsockname()[1])
    finally:
        os.close(pidfd)
    return found
