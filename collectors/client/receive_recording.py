"""What a recorded machine sends: an archive that is read without trusting a byte of it.

A machine that others use may send anything. Taken are regular files with the names of a recording,
each once and within its size, written anew into a folder of our own. All else is passed over and
listed; an archive that goes beyond the size of all files together is broken off.
"""

import os
import re
import tarfile

import files

BLOCK = 512
CHUNK = 1 << 20
NAMES = (
    # what of a recording is taken, and how large it may be; None: as large as all together
    (re.compile(r"^(top|iotop|block|tasks)(\.[0-9]{5,9})?\.log(\.zst|\.gz)?\Z"), None),
    (re.compile(r"^facts\.json\Z"), 1 << 20),
    (re.compile(r"^collector\.pid\Z"), 1 << 10),
    (re.compile(r"^collector\.err\Z"), 1 << 16),
)
MAX_REFUSED = 8  # that are listed by name
MAX_FILES = 100000  # that are taken of one machine


class BrokenError(Exception):
    """The archive cannot be read on; what was taken before is kept."""


def room_for(name, most):
    """How many bytes a file of that name may have, None where it is not taken."""
    for pattern, size in NAMES:
        if pattern.match(name):
            return most if size is None else min(size, most)
    return None


def unpack(stream, folder, most):
    """Take a recording of at most `most` bytes out of a stream; what was refused, as a list.

    BrokenError where the stream cannot be read on.
    """
    refused, more, taken, left = [], 0, set(), most
    while True:
        header = read(stream, BLOCK)
        if not header.strip(b"\0"):
            stream.read(CHUNK)  # what fills it up, so that the sender ends in good order
            break
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.TarError as e:
            raise BrokenError("not an archive of a recording (%s)" % e) from None
        padded = -(-member.size // BLOCK) * BLOCK
        if member.size < 0 or padded > left:
            raise BrokenError(
                "%s has %d bytes, more than is taken" % (shown(member.name), member.size)
            )
        left -= padded + BLOCK
        name = member.name
        room = room_for(name, most)
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            why = "not a regular file"
        elif room is None:
            why = "no file of a recording"
        elif form_of(name) in taken:
            why = "there already"
        elif len(taken) >= MAX_FILES:
            why = "more than %d files" % MAX_FILES
        elif member.size > room:
            why = "larger than %d bytes" % room
        else:
            taken.add(form_of(name))
            with os.fdopen(files.create(os.path.join(folder, name)), "wb") as out:
                copy(stream, member.size, out)
            copy(stream, padded - member.size, None)
            continue
        copy(stream, padded, None)
        if len(refused) < MAX_REFUSED:
            refused.append("%s was refused: %s" % (shown(name), why))
        else:
            more += 1
    return refused + (["%d more were refused" % more] if more else [])


def form_of(name):
    """What a log is called however it is packed: it is taken in one form."""
    return name.rsplit(".log", 1)[0]


def shown(name):
    """A name for a message: one line, not endless."""
    return ascii(name)[1:-1][:80]


def read(stream, size):
    """So many bytes; an archive that ends before its end is broken."""
    data = stream.read(size)
    if len(data) < size:
        raise BrokenError("it ends in the middle")
    return data


def copy(stream, size, out):
    """So many bytes from one stream to another, or nowhere."""
    while size:
        data = read(stream, min(size, CHUNK))
        size -= len(data)
        if out is not None:
            out.write(data)
