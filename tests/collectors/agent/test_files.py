"""Files and folders that another user can change are refused."""

import grp
import os
import pwd
import socket
import stat

import files
import pytest

from ..helpers import collect, needs_root


@needs_root
@pytest.mark.parametrize(
    ("mode", "owner", "word"),
    [
        (0o755, 65534, "belongs to user 65534"),
        (0o777, 0, "written to by others"),
        (0o1777, 0, "written to by others"),
    ],
)
def test_folder_that_others_can_change_is_refused(folder, mode, owner, word):

    out = folder / "out"
    out.mkdir()
    out.chmod(mode)
    os.chown(out, owner, owner)
    # --seconds ends a collector that starts by mistake
    options = ("--interval", "0.3", "--seconds", "9")
    p = collect("start", "--out", out, *options)
    assert p.returncode == 2 and word in p.stderr
    assert not list(out.iterdir())
    below = collect("start", "--out", out / "new", *options)
    if mode & 0o1000:
        assert below.returncode in (0, 1), "a folder of one's own below a sticky one is safe"
        assert stat.S_IMODE((out / "new").stat().st_mode) == 0o700
        assert collect("stop", "--out", out / "new").returncode == 0
    else:
        assert below.returncode == 2 and (out.name in below.stderr)


@needs_root
def test_link_of_another_user_is_not_followed(folder):

    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (folder / "link").symlink_to(elsewhere)
    os.chown(folder / "link", 65534, 65534, follow_symlinks=False)
    p = collect("start", "--out", folder / "link" / "new")
    assert p.returncode == 2 and "belongs to user 65534" in p.stderr
    assert not list(elsewhere.iterdir())


def test_shared_group_is_not_trusted(monkeypatch):

    user = pwd.struct_passwd(("me", "x", 1000, 100, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    for name, members, own in (("users", [], None), ("me", ["you"], None), ("me", ["me"], 100)):
        group = grp.struct_group((name, "x", 100, members))
        monkeypatch.setattr(grp, "getgrgid", lambda gid, group=group: group)
        assert files.private_group(1000) == own


def test_only_regular_files_are_opened(tmp_path):

    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "facts.json"))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("facts.json", "pipe", "link", ".", "none"):
        with pytest.raises(OSError):
            files.open_regular(tmp_path / name)


def test_an_interruption_after_the_renaming_is_raised(tmp_path, monkeypatch):
    rename = os.rename

    def rename_and_interrupt(*args):
        rename(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", rename_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_json(str(tmp_path / "state.json"), {"a": 1})
    assert os.listdir(tmp_path) == ["state.json"]
