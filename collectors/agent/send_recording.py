#!/usr/bin/env python3
"""send_recording.py - a finished recording as a tar archive on standard output, for record_experiment.py.

USAGE     send_recording.py DIR
NEEDS     Python >= 3.6.
OVERHEAD  Reads the recording once, after the experiment.

Only regular files, without the folder's name, in the GNU format without extended headers: the
reader (receive_recording.py of the client) knows no others.
"""

import os
import sys
import tarfile

import files


def write_archive(folder, out):
    """Write the regular files of a folder to the stream `out`."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(os.listdir(folder)):
            try:
                fd = files.open_regular(os.path.join(folder, name))
            except OSError:
                continue
            with os.fdopen(fd, "rb") as f:
                info = tarfile.TarInfo(name)
                info.size = os.fstat(fd).st_size
                archive.addfile(info, f)


def main(argv):
    """Send the folder; the exit code."""
    if len(argv) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        write_archive(argv[0], sys.stdout.buffer)
    except OSError as e:
        print("send_recording: %s: %s" % (argv[0], e.strerror), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
