"""Files and folders that no other user can have prepared or can change.

Collectors run as root on machines that others use, and often below /var/tmp. A file is created new
(O_EXCL) and a link is never followed (O_NOFOLLOW). A folder is used only where `unsafe_reason`
returns None, which checks each folder above it too.
"""

import grp
import json
import os
import pwd
import stat
import tempfile

CREATE_FLAGS = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PRIVATE_FILE_MODE = 0o600
PRIVATE_FOLDER_MODE = 0o700
MAX_LINKS = 40  # as the kernel


def trusted_users():
    """User ids that may own a folder that we write into: root, ourselves, and the caller of sudo."""
    return {0, os.geteuid(), environment_uid("SUDO_UID")} - {None}


def trusted_groups():
    """Group ids whose members may write: groups without other members."""
    return {0, *map(private_group, trusted_users())} - {None}


def private_group(uid):
    """Id of the user's own group, which has the user's name; None where it has other members."""
    try:
        user = pwd.getpwuid(uid)
        group = grp.getgrgid(user.pw_gid)
    except KeyError:
        return None
    is_private = group.gr_name == user.pw_name and not set(group.gr_mem) - {user.pw_name}
    return user.pw_gid if is_private else None


def environment_uid(variable):
    """An environment variable as a user id; None if it is not a number, or if we are not root."""
    text = os.environ.get(variable, "")
    return int(text) if text.isdigit() and os.geteuid() == 0 else None


def unsafe_reason(folder, may_be_shared=False, links=0):
    """Why a folder is not safe to write into, None if it is.

    Only trusted users may write to the folder itself. A folder above it, or the folder itself where
    it `may_be_shared`, may have the sticky bit instead (as /tmp): only the owner of an entry can
    rename or remove it there. `links` counts the symbolic links followed so far.
    """
    folder = os.path.abspath(folder)
    names = [name for name in folder.split("/") if name]
    path = "/"
    for name in ["", *names]:
        path = os.path.join(path, name)
        is_last = path == folder and not may_be_shared
        s = os.lstat(path)
        if s.st_uid not in trusted_users():
            return "%s belongs to user %d" % (path, s.st_uid)
        if stat.S_ISLNK(s.st_mode):
            if links == MAX_LINKS:
                return "%s: too many links" % path
            rest = folder[len(path) :].lstrip("/")
            target = os.path.join(os.path.dirname(path), os.readlink(path))
            return unsafe_reason(os.path.join(target, rest), may_be_shared, links + 1)
        if not stat.S_ISDIR(s.st_mode):
            return "%s is not a folder" % path
        is_writable = s.st_mode & stat.S_IWOTH or (
            s.st_mode & stat.S_IWGRP and s.st_gid not in trusted_groups()
        )
        if is_writable and (is_last or not s.st_mode & stat.S_ISVTX):
            return "%s can be written to by others" % path
    return None


def make_folder(path):
    """Create a folder and those above it with mode 0700; ValueError, which says why, where it is not safe."""
    path = os.path.abspath(path)
    new_folders = []
    while not os.path.lexists(path):
        new_folders.append(path)
        path = os.path.dirname(path)
    reason = unsafe_reason(path, may_be_shared=bool(new_folders))
    if reason:
        raise ValueError(reason)
    for folder in reversed(new_folders):
        try:
            os.mkdir(folder, PRIVATE_FOLDER_MODE)
        except FileExistsError:  # created by another process in the meantime
            reason = unsafe_reason(folder, may_be_shared=folder != new_folders[0])
            if reason:
                raise ValueError(reason) from None


def create_file(path, folder=None, flags=os.O_WRONLY):
    """The descriptor of a new file; FileExistsError where the name exists.

    `folder`: descriptor of the folder to which a relative path refers.
    """
    return os.open(path, CREATE_FLAGS | flags, PRIVATE_FILE_MODE, dir_fd=folder)


def open_regular(path, folder=None):
    """The descriptor of a regular file, for reading; OSError for links, devices, pipes."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(22, "not a regular file", path)
    return fd


def write_bytes(path, data):
    """Write a file atomically; an existing file of that name is replaced."""
    folder, name = os.path.split(path)
    fd, temporary = tempfile.mkstemp(".tmp", ".%s." % name, folder or ".")
    with os.fdopen(fd, "wb") as f:
        try:
            f.write(data)
            f.flush()
            os.rename(temporary, path)
        except BaseException:
            if os.path.lexists(
                temporary
            ):  # an interruption after the renaming is not an error of it
                os.unlink(temporary)
            raise


def write_json(path, value):
    """Write a value as indented JSON, atomically; an existing file of that name is replaced."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode("utf-8"))


def read_json(path, max_bytes):
    """The object in a regular file of at most `max_bytes`; OSError or ValueError otherwise."""
    with os.fdopen(open_regular(path), "rb") as f:
        data = f.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError("larger than %d bytes" % max_bytes)
    try:
        value = json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
