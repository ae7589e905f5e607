"""Delay accounting (sysctl kernel.task_delayacct): on while collectors run, then as it was.

Several collectors may run on one machine, so those that need it are written down in a folder of
/run, with the value that was found; the last one to leave puts it back. A collector that was
killed counts no longer; the next one to leave, or `collect stop` on its folder, mends that.
A task that began while it was off has no delays as long as it lives.
"""

import fcntl
import os

SYSCTL = "/proc/sys/kernel/task_delayacct"
REGISTRY = "/run/queuevisor-delays"


def start_time(pid):
    """Ticks after boot, as text; None if there is no such process (or only its corpse)."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as f:
            text = f.read()
    except OSError:
        return None
    f = text[text.rfind(b")") + 2 :].split()
    return None if f[0] in (b"Z", b"X") else f[19].decode()


def _get():
    with open(SYSCTL) as f:
        return f.read().strip()


def _set(value):
    with open(SYSCTL, "w") as f:
        f.write(value)


class _Locked:
    def __enter__(self):
        os.makedirs(REGISTRY, mode=0o700, exist_ok=True)
        self.fd = os.open(REGISTRY + "/lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.fd, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_):
        os.close(self.fd)


def _users():
    alive = []
    for name in os.listdir(REGISTRY):
        if not name.isdigit():
            continue
        path = os.path.join(REGISTRY, name)
        with open(path) as f:
            born = f.read()
        if born == start_time(int(name)):
            alive.append(int(name))
        else:
            os.unlink(path)
    return alive


def _found():
    try:
        with open(REGISTRY + "/found") as f:
            return f.read().strip() or None
    except OSError:
        return None


def _put_back_if_last():
    if _users():
        return
    found = _found()
    if found is not None:
        if _get() != found:
            _set(found)
        os.unlink(REGISTRY + "/found")


def switch_on():
    """(was it switched on by this call, or by another collector; why it could not be, or None)"""
    if not os.path.exists(SYSCTL):
        return False, None
    try:
        if _get() == "1" and not os.path.exists(REGISTRY + "/found"):
            return False, None
        with _Locked():
            value = _get()
            if not _users() and _found() is None:
                if value == "1":
                    return False, None
                with open(REGISTRY + "/found", "w") as f:
                    f.write(value)
            with open("%s/%d" % (REGISTRY, os.getpid()), "w") as f:
                f.write(start_time(os.getpid()))
            if value != "1":
                _set("1")
            return True, None
    except OSError as e:
        return False, "delay accounting could not be switched on (%s)" % e.strerror


def leave(pid=None):
    """Give up the need; the last one to leave puts the value back."""
    if not os.path.isdir(REGISTRY):
        return
    try:
        with _Locked():
            try:
                os.unlink("%s/%d" % (REGISTRY, pid or os.getpid()))
            except FileNotFoundError:
                pass
            _put_back_if_last()
    except OSError:
        pass
