"""Reads the archive that a recorded machine sends, without trusting it.

A machine that others use may send anything. Accepted are regular files with the names of a
recording, each once and within its maximum size; they are written as new files into a folder of the
client's own. Every other member is skipped and listed. An archive that exceeds the maximum size of
all files is not read further.
"""

import os
import re
import tarfile

import files
import texts

BLOCK_BYTES = 512  # of a tar archive
CHUNK_BYTES = 1 << 20
ACCEPTED = (
    # name, maximum size in bytes; None: the maximum of all files together
    (re.compile(r"^(top|iotop|block|tasks)(\.[0-9]{5,9})?\.log(\.zst|\.gz)?\Z"), None),
    (re.compile(r"^facts\.json\Z"), 1 << 20),
    (re.compile(r"^collector\.pid\Z"), 1 << 10),
    (re.compile(r"^collector\.err\Z"), 1 << 16),
)
MAX_REFUSED = 8  # listed by name
MAX_FILES = 100000  # accepted from one machine


class ArchiveError(Exception):
    """The archive cannot be read further; files accepted before are kept."""


def max_size(name, max_bytes):
    """Maximum size in bytes of a file with that name, None where the name is not accepted."""
    for pattern, size in ACCEPTED:
        if pattern.match(name):
            return max_bytes if size is None else min(size, max_bytes)
    return None


def receive(stream, folder, max_bytes):
    """Write the files of an archive, at most `max_bytes`, into a folder; the refused members, as a list.

    ArchiveError where the stream cannot be read further.
    """
    refused, more_refused, stems, remaining_bytes = [], 0, set(), max_bytes
    while True:
        header = read_exactly(stream, BLOCK_BYTES)
        if not header.strip(b"\0"):
            stream.read(CHUNK_BYTES)  # the padding, so that the sender can finish writing
            break
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.TarError as e:
            raise ArchiveError(texts.NOT_AN_ARCHIVE % e) from None
        name = member.name
        padded_bytes = -(-member.size // BLOCK_BYTES) * BLOCK_BYTES
        if member.size < 0 or padded_bytes > remaining_bytes:
            raise ArchiveError(texts.ARCHIVE_TOO_LARGE % (printable(name), member.size))
        remaining_bytes -= padded_bytes + BLOCK_BYTES
        reason = refusal(member, stems, max_bytes)
        if reason is None:
            stems.add(log_stem(name))
            with os.fdopen(files.create_file(os.path.join(folder, name)), "wb") as out:
                copy_bytes(stream, member.size, out)
            copy_bytes(stream, padded_bytes - member.size, None)
            continue
        copy_bytes(stream, padded_bytes, None)
        if len(refused) < MAX_REFUSED:
            refused.append(texts.REFUSED % (printable(name), reason))
        else:
            more_refused += 1
    return refused + ([texts.MORE_REFUSED % more_refused] if more_refused else [])


def refusal(member, stems, max_bytes):
    """Why a member is not accepted, None if it is; `stems` are those of the files accepted before."""
    size = max_size(member.name, max_bytes)
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        return texts.NOT_REGULAR
    if size is None:
        return texts.NOT_OF_A_RECORDING
    if log_stem(member.name) in stems:
        return texts.DUPLICATE
    if len(stems) >= MAX_FILES:
        return texts.TOO_MANY_FILES % MAX_FILES
    if member.size > size:
        return texts.TOO_LARGE % size
    return None


def log_stem(name):
    """A log's name without suffixes: it is accepted once, compressed or not."""
    return name.rsplit(".log", 1)[0]


def printable(name):
    """A name for a message: one line of limited length."""
    return ascii(name)[1:-1][:80]


def read_exactly(stream, size):
    """That many bytes of a stream; ArchiveError where it ends before."""
    data = stream.read(size)
    if len(data) < size:
        raise ArchiveError(texts.ARCHIVE_TRUNCATED)
    return data


def copy_bytes(stream, size, out):
    """Copy that many bytes of a stream to another, or skip them where `out` is None."""
    while size:
        data = read_exactly(stream, min(size, CHUNK_BYTES))
        size -= len(data)
        if out is not None:
            out.write(data)
