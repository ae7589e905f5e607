"""block.log: /sys/block/*/stat, in the format of `grep -H '' /sys/block/*/stat`.

OVERHEAD: one listing of /sys/block and one pread(2) per device and tick; the files stay open.
"""

import os
import re


class BlockStats:
    """The stat files of the block devices whose names match."""

    def __init__(self, pattern=None):
        self.pattern = re.compile(pattern) if pattern else None
        self.open_files = {}  # {device: (descriptor, prefix of its lines)}
        self.names = []

    def list_devices(self):
        """Names of the devices, sorted as a shell expands them."""
        try:
            names = sorted(os.listdir("/sys/block"))
        except OSError:
            return []
        return [n for n in names if not self.pattern or self.pattern.search(n)]

    def sample(self):
        """The lines of all devices, now."""
        names = self.list_devices()
        if names != self.names:
            for name in set(self.open_files) - set(names):
                os.close(self.open_files.pop(name)[0])
            self.names = names
        lines = []
        for name in names:
            entry = self.open_files.get(name)
            if entry is None:
                path = "/sys/block/%s/stat" % name
                try:
                    entry = (os.open(path, os.O_RDONLY | os.O_CLOEXEC), os.fsencode(path) + b":")
                except OSError:
                    continue
                self.open_files[name] = entry
            fd, prefix = entry
            try:
                text = os.pread(fd, 4096, 0)
            except OSError:
                os.close(fd)
                del self.open_files[name]
                continue
            for line in text.splitlines():
                lines.append(prefix + line + b"\n")
        return b"".join(lines)
