"""QEMU's command line, and the test of KVM with a replaced QEMU."""

import re
from pathlib import Path

import pytest
import qvtestbed
from qvtestbed import qemu
from qvtestbed.paths import PROJECT
from qvtestbed.qemu import Hardware


def build_command(accelerator="tcg", **hardware):
    return qemu.build_command(
        "web",
        Hardware(**hardware),
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


def test_default_command_line_is_that_of_the_recorded_studies():
    assert " ".join(build_command()) == (
        "qemu-system-x86_64 -name guest=web,debug-threads=on -nodefaults -no-user-config "
        "-machine pc -accel tcg,thread=multi -cpu max -smp 1 -m 512M -display none "
        "-rtc base=utc,clock=host -kernel /k -initrd /i -append root=/dev/vda rw rootflags=noatime "
        "console=ttyS0 net.ifnames=0 quiet delayacct mitigations=off systemd.show_status=0 "
        "random.trust_cpu=on tsc=reliable -object iothread,id=iothread0 "
        "-drive if=none,id=disk0,file=/dev/loop3,format=raw,cache=none,aio=native,discard=ignore "
        "-device virtio-blk-pci,drive=disk0,iothread=iothread0 "
        "-netdev user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:22022-:22,"
        "hostfwd=tcp:127.0.0.1:28080-:80 -device virtio-net-pci,netdev=net0,romfile= "
        "-device virtio-rng-pci -serial file:/state/web.console "
        "-qmp unix:/state/web.qmp,server=on,wait=off -pidfile /state/web.pid"
    )


@pytest.mark.parametrize(
    ("hardware", "present", "absent"),
    [
        ({"vcpus": 2}, "-smp 2 ", "-smp 1 "),
        ({"memory_bytes": 256 << 20}, "-m 256M", "-m 512M"),
        ({"cache": "writeback", "aio": "threads"}, "cache=writeback,aio=threads", "cache=none"),
        ({"aio": "io_uring"}, "cache=none,aio=io_uring", "aio=native"),
        ({"iothread": False}, "-device virtio-blk-pci,drive=disk0 ", "iothread"),
        (
            {"device": "ide", "iothread": False},
            "-device ide-hd,bus=ide.0,drive=disk0 ",
            "virtio-blk",
        ),
        ({"device": "ide", "iothread": False}, "root=/dev/sda rw", "/dev/vda"),
    ],
)
def test_hardware_is_on_the_command_line(hardware, present, absent):
    text = " ".join(build_command(**hardware))
    assert present in text and absent not in text


@pytest.mark.parametrize(
    ("hardware", "reason"),
    [
        ({"device": "ide"}, "iothread"),
        ({"device": "floppy"}, "virtio-blk, ide"),
        ({"cache": "writeback"}, "cache=none"),
    ],
)
def test_hardware_that_qemu_cannot_start_is_rejected(hardware, reason):
    with pytest.raises(qvtestbed.TestbedError, match=reason):
        Hardware(**hardware)


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
