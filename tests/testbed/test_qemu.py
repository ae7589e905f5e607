"""QEMU's command line, and the test of KVM with a replaced QEMU."""

import re
from pathlib import Path

import pytest
from qvtestbed import qemu
from qvtestbed.paths import PROJECT


def build_command(accelerator="tcg"):
    return qemu.build_command(
        "web",
        memory_bytes=512 << 20,
        accelerator=accelerator,
        disk="/dev/loop3",
        folder=Path("/state"),
        kernel=Path("/k"),
        initrd=Path("/i"),
    )


def test_command_line():
    command = build_command()
    text = " ".join(command)
    assert re.search("guest=web[, ]", text)
    assert "debug-threads=on" in text
    assert command[command.index("-m") + 1] == "512M"
    assert "cache=none" in text
    assert "iothread=iothread0" in text
    assert "restrict=on" in text
    assert re.findall(r"hostfwd=tcp:([^:]*):", text) == ["127.0.0.1", "127.0.0.1"]
    assert str(PROJECT) not in text
    assert "throttl" not in text


def test_accelerators():
    assert "tcg,thread=multi" in build_command("tcg")
    assert "kvm" in build_command("kvm")


def test_kvm_needs_its_device(tmp_path):
    device = str(tmp_path / "kvm")
    works, reason = qemu.probe_kvm(Path("/k"), Path("/i"), device=device)
    assert not works
    assert device in reason


@pytest.mark.parametrize(
    ("script", "works", "reason"),
    [
        ("echo '[ 1.0] Run /init as init process' > \"$console\"; sleep 30", True, "booted"),
        ("sleep 30", False, "within 2 s"),
        ("echo 'no such msr' >&2; exit 1", False, "no such msr"),
    ],
)
def test_kvm_is_tested_with_a_time_limit(tmp_path, monkeypatch, script, works, reason):
    fake = tmp_path / "qemu"
    fake.write_text(
        "#!/bin/sh\nfor w; do case $w in file:*) console=${w#file:};; esac; done\n" + script
    )
    fake.chmod(0o755)
    monkeypatch.setattr(qemu, "PROGRAM", str(fake))
    outcome = qemu.probe_kvm(Path("/k"), Path("/i"), limit_s=2, device=str(fake))
    assert outcome[0] is works
    assert reason in outcome[1]
