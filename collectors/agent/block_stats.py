"""block.log: /sys/block/*/stat, as `grep -H '' /sys/block/*/stat` prints it.

OVERHEAD: one listing of /sys/block and one pread(2) a device and tick; the files stay open.
"""

import os
import re


class Block:
    """/sys/block/*/stat, as `grep -H '' /sys/block/*/stat` prints it."""

    def __init__(self, pattern=None):
        self.pattern = re.compile(pattern) if pattern else None
        self.open = {}
        self.names = []

    def devices(self):
        """Names in the order in which a shell expands them."""
        try:
            names = sorted(os.listdir("/sys/block"))
        except OSError:
            return []
        return [n for n in names if not self.pattern or self.pattern.search(n)]

    def sample(self):
        """The lines of all devices, now."""
        names = self.devices()
        if names != self.names:
            for gone in set(self.open) - set(names):
                os.close(self.open.pop(gone)[0])
            self.names = names
        parts = []
        for name in names:
            entry = self.open.get(name)
            if entry is None:
                path = "/sys/block/%s/stat" % name
                try:
                    entry = (os.open(path, os.O_RDONLY | os.O_CLOEXEC), os.fsencode(path) + b":")
                except OSError:
                    continue
                self.open[name] = entry
            try:
                text = os.pread(entry[0], 4096, 0)
            except OSError:
                os.close(entry[0])
                del self.open[name]
                continue
            for line in text.splitlines():
                parts.append(entry[1] + line + b"\n")
        return b"".join(parts)
