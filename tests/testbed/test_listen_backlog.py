"""The listen backlog of another process."""

import os
import socket
import subprocess
import sys

import pytest
from qvtestbed import listen_backlog


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_backlog_of_another_process_is_lengthened():
    code = (
        "import socket,sys;s=socket.socket();s.bind(('127.0.0.1',0));s.listen(1);"
        "print(s.getsockname()[1],flush=True);sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    connections = []
    try:
        port = int(process.stdout.readline())
        assert listen_backlog.set_backlog(process.pid, {port}) == {port}
        for _ in range(20):  # the process accepts none of them
            connections.append(socket.create_connection(("127.0.0.1", port), 2))
    finally:
        for connection in connections:
            connection.close()
        process.stdin.close()
        process.wait(10)
