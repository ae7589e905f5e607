"""Delay accounting (sysctl kernel.task_delayacct): on while collectors run, then restored.

Several collectors may run on one machine. Each that needs delay accounting has a file in a folder
of /run, which also holds the value that the sysctl had before; the last one to leave restores it. A
collector that was killed no longer counts; the next one to leave, or `collect stop` on its folder,
removes its file.
A task that started while delay accounting was off has no delays as long as it lives. A program that
starts virtual machines therefore calls switch_on(pid) before, with the pid of a process that lives
as long as they do (at first its own), and leave(pid) afterwards. To write the sysctl is not enough
where collectors come and go: the last of them would restore the old value.
"""

import fcntl
import os
import time

import files

SYSCTL = "/proc/sys/kernel/task_delayacct"
REGISTRY = "/run/queuevisor-delays"
NOT_SWITCHED_ON = "delay accounting could not be switched on (%s)"


def start_time(pid):
    """Clock ticks after boot at which a process started, as text; None if it has ended (or is a zombie)."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as f:
            text = f.read()
    except OSError:
        return None
    fields = text[text.rfind(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()


def _read_sysctl():
    with open(SYSCTL) as f:
        return f.read().strip()


def _write_sysctl(value):
    with open(SYSCTL, "w") as f:
        f.write(value)


class _Locked:
    def __enter__(self):
        try:
            files.make_folder(REGISTRY)
        except ValueError as e:
            raise PermissionError(1, str(e)) from None
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self.fd = os.open(REGISTRY + "/lock", flags, files.PRIVATE_FILE_MODE)
        fcntl.flock(self.fd, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_):
        os.close(self.fd)


def _list_users():
    """Pids of the processes that need it; the files of those that have ended are removed."""
    pids = []
    for name in os.listdir(REGISTRY):
        if not name.isdigit():
            continue
        path = os.path.join(REGISTRY, name)
        with open(path) as f:
            start = f.read()
        if start == start_time(int(name)):
            pids.append(int(name))
        else:
            os.unlink(path)
    return pids


def _read_saved():
    """[value before, clock ticks after boot at which it was changed] or None."""
    try:
        with open(REGISTRY + "/found") as f:
            fields = f.read().split()
    except OSError:
        return None
    return [fields[0], int(fields[1])] if len(fields) == 2 else None


def _ticks_since_boot():
    clock = getattr(time, "CLOCK_BOOTTIME", 7)  # 7: Python 3.6 has no name for it
    return int(time.clock_gettime(clock) * os.sysconf("SC_CLK_TCK")) + 1


def _restore_if_last():
    if _list_users():
        return
    saved = _read_saved()
    if saved is not None:
        if _read_sysctl() != saved[0]:
            _write_sysctl(saved[0])
        os.unlink(REGISTRY + "/found")


def switch_on(pid=None):
    """Switch delay accounting on for a process, by default this one.

    Returns (clock ticks after boot at which a collector switched it on, 0 if none did; why it could
    not be switched on, or None).
    """
    if not os.path.exists(SYSCTL):
        return 0, None
    try:
        if _read_sysctl() == "1" and not os.path.exists(REGISTRY + "/found"):
            return 0, None
        with _Locked():
            value = _read_sysctl()
            saved = _read_saved()
            if saved is None and value == "1":
                return 0, None
            if value != "1":
                saved = [saved[0] if saved else value, _ticks_since_boot()]
                with open(REGISTRY + "/found", "w") as f:
                    f.write("%s %d" % tuple(saved))
                _write_sysctl("1")
            pid = pid or os.getpid()
            with open("%s/%d" % (REGISTRY, pid), "w") as f:
                f.write(start_time(pid))
            return saved[1], None
    except OSError as e:
        return 0, NOT_SWITCHED_ON % e.strerror


def leave(pid=None):
    """A process no longer needs delay accounting; the last one to leave restores the value."""
    if not os.path.isdir(REGISTRY):
        return
    try:
        with _Locked():
            try:
                os.unlink("%s/%d" % (REGISTRY, pid or os.getpid()))
            except FileNotFoundError:
                pass
            _restore_if_last()
    except OSError:
        pass
