"""Files and folders that no other user can have prepared or can change meanwhile.

Collectors run as root on machines that others use, and often below /var/tmp. A file is made anew
(O_EXCL) and a link is never followed (O_NOFOLLOW); a folder is used only where `trouble_of` finds
nothing, which looks at each folder above it too.
"""

import grp
import json
import os
import pwd
import stat

CREATE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
MAX_LINKS = 40  # as the kernel


def trusted_users():
    """Who may own a folder that we write into: root, ourselves, and who called us by sudo."""
    return {0, os.geteuid(), number("SUDO_UID")} - {None}


def trusted_groups():
    """Whose right to write does no harm: groups in which nobody else is."""
    return {0, *map(own_group, trusted_users())} - {None}


def own_group(uid):
    """The group that a user has for himself, named as he is; None where others share it."""
    try:
        user = pwd.getpwuid(uid)
        group = grp.getgrgid(user.pw_gid)
    except KeyError:
        return None
    alone = group.gr_name == user.pw_name and not set(group.gr_mem) - {user.pw_name}
    return user.pw_gid if alone else None


def number(variable):
    """An environment variable as a number; None if it is none, or if we are not root."""
    text = os.environ.get(variable, "")
    return int(text) if text.isdigit() and os.geteuid() == 0 else None


def trouble_of(folder, links=0, may_be_shared=False):
    """Why a folder is not safe to write into, None if it is.

    The folder itself may be written to by nobody else, unless it `may_be_shared` as those above it
    may: where only the owner of an entry can rename or remove it (the sticky bit, as on /tmp).
    """
    path = os.path.abspath(folder)
    parts = [p for p in path.split("/") if p]
    at = "/"
    for part in ["", *parts]:
        at = os.path.join(at, part)
        is_last = at == path and not may_be_shared
        s = os.lstat(at)
        if s.st_uid not in trusted_users():
            return "%s belongs to user %d" % (at, s.st_uid)
        if stat.S_ISLNK(s.st_mode):
            if links == MAX_LINKS:
                return "%s: too many links" % at
            rest = path[len(at) :].lstrip("/")
            target = os.path.join(os.path.dirname(at), os.readlink(at))
            return trouble_of(os.path.join(target, rest), links + 1, may_be_shared)
        if not stat.S_ISDIR(s.st_mode):
            return "%s is not a folder" % at
        writable = s.st_mode & stat.S_IWOTH or (
            s.st_mode & stat.S_IWGRP and s.st_gid not in trusted_groups()
        )
        if writable and (is_last or not s.st_mode & stat.S_ISVTX):
            return "%s can be written to by others" % at
    return None


def make_folder(path):
    """A folder and those above it, for us alone where they are new; ValueError where it is not safe."""
    path = os.path.abspath(path)
    new = []
    while not os.path.lexists(path):
        new.append(path)
        path = os.path.dirname(path)
    trouble = trouble_of(path, may_be_shared=bool(new))
    if trouble:  # nothing is made where somebody else would say where
        raise ValueError(trouble)
    for one in reversed(new):
        try:
            os.mkdir(one, PRIVATE_FOLDER)
        except FileExistsError:
            trouble = trouble_of(one, may_be_shared=one != new[0])  # somebody was faster
            if trouble:
                raise ValueError(trouble) from None


def create(path, folder=None, flags=os.O_WRONLY):
    """The descriptor of a new file; FileExistsError where anything of that name is."""
    return os.open(path, CREATE | flags, PRIVATE_FILE, dir_fd=folder)


def open_regular(path, folder=None):
    """The descriptor of a regular file, for reading; OSError for links, devices, pipes."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(22, "not a regular file", path)
    return fd


def write_json(path, value):
    """Indented, whole or not at all, in the place of whatever has that name."""
    temporary = "%s.%d.tmp" % (path, os.getpid())
    with os.fdopen(create(temporary), "w", encoding="utf-8") as f:
        try:
            json.dump(value, f, indent=1, ensure_ascii=False)
            f.write("\n")
            f.flush()
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def read_json(path, most):
    """The object in a regular file of at most so many bytes; OSError or ValueError otherwise."""
    with os.fdopen(open_regular(path), "rb") as f:
        data = f.read(most + 1)
    if len(data) > most:
        raise ValueError("larger than %d bytes" % most)
    try:
        value = json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
