"""Delay accounting (sysctl kernel.task_delayacct): on while collectors run, then as it was.

Several collectors may run on one machine, so those that need it are written down in a folder of
/run, with the value that was found; the last one to leave puts it back. A collector that was
killed counts no longer; the next one to leave, or `collect stop` on its folder, mends that.
A task that began while it was off has no delays as long as it lives; so whoever starts virtual
machines calls switch_on(pid) before, with the number of a process that lives as long as they do
(its own will do for a while), and leave(pid) afterwards. A plain write of the sysctl is not enough
where collectors come and go: the last of them would put the old value back.
"""

import fcntl
import os
import time

import files

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
        try:
            files.make_folder(REGISTRY)
        except ValueError as e:
            raise PermissionError(1, str(e)) from None
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self.fd = os.open(REGISTRY + "/lock", flags, 0o600)
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
    """[the value that was found, ticks after boot at which it was changed] or None."""
    try:
        with open(REGISTRY + "/found") as f:
            words = f.read().split()
    except OSError:
        return None
    return [words[0], int(words[1])] if len(words) == 2 else None


def _ticks():
    clock = getattr(time, "CLOCK_BOOTTIME", 7)  # 7: Python 3.6 does not name it
    return int(time.clock_gettime(clock) * os.sysconf("SC_CLK_TCK")) + 1


def _put_back_if_last():
    if _users():
        return
    found = _found()
    if found is not None:
        if _get() != found[0]:
            _set(found[0])
        os.unlink(REGISTRY + "/found")


def switch_on(pid=None):
    """(ticks after boot since when it is on by collectors' doing, 0 if not by theirs; trouble or None)"""
    if not os.path.exists(SYSCTL):
        return 0, None
    try:
        if _get() == "1" and not os.path.exists(REGISTRY + "/found"):
            return 0, None
        with _Locked():
            value = _get()
            found = _found()
            if found is None and value == "1":
                return 0, None
            if value != "1":
                found = [found[0] if found else value, _ticks()]
                with open(REGISTRY + "/found", "w") as f:
                    f.write("%s %d" % tuple(found))
                _set("1")
            pid = pid or os.getpid()
            with open("%s/%d" % (REGISTRY, pid), "w") as f:
                f.write(start_time(pid))
            return found[1], None
    except OSError as e:
        return 0, "delay accounting could not be switched on (%s)" % e.strerror


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
