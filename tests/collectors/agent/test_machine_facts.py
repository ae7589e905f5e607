"""facts.json: virtualization, SMT, CPU frequency; what a machine does not have is null."""

import json
import subprocess
import sys

import machine_facts
import pytest

from ..helpers import AGENT


@pytest.fixture
def tree(tmp_path):
    """Writes the files of a machine: {path: text}."""

    def write(files):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return str(tmp_path)

    return write


CPU, DMI = "sys/devices/system/cpu", "sys/class/dmi/id"


@pytest.mark.parametrize(
    ("files", "vm", "container"),
    [
        ({"proc/cpuinfo": "flags\t: fpu vme\n", f"{DMI}/sys_vendor": "Amazon EC2"}, "none", "none"),
        ({"proc/cpuinfo": "flags\t: fpu hypervisor\n"}, "unknown", "none"),
        ({"proc/cpuinfo": "flags\t: hypervisor\n", f"{DMI}/sys_vendor": "QEMU\n"}, "qemu", "none"),
        ({"proc/cpuinfo": "flags\t: hypervisor\n", f"{DMI}/product_name": "VirtualBox"}, "oracle", "none"),
        ({"proc/cpuinfo": "Features\t: fp asimd\n"}, None, "none"),
        ({"proc/cpuinfo": "flags\t: fpu\n", ".dockerenv": ""}, "none", "docker"),
        ({"run/systemd/container": "lxc\n", "sys/hypervisor/type": "xen\n"}, "xen", "lxc"),
        ({"proc/1/cgroup": "0::/kubepods/burstable/pod1\n"}, None, "kubepods"),
    ],
)  # fmt: skip
def test_virtualization_by_its_signs(tree, files, vm, container):
    facts = machine_facts.read_virtualization(tree(files))
    assert (facts["vm"], facts["container"]) == (vm, container)
    assert bool(facts["signs"]) == (vm not in (None, "none") or container != "none")


def test_frequency_of_a_server(tree):
    root = tree({
        f"{CPU}/intel_pstate/no_turbo": "1\n",
        **{
            f"{CPU}/cpufreq/policy{cpu}/{name}": text
            for cpu, current in ((0, "1200000"), (1, "3100000"))
            for name, text in (
                ("scaling_driver", "intel_pstate\n"), ("scaling_governor", "powersave\n"),
                ("scaling_cur_freq", current), ("scaling_min_freq", "800000"), ("scaling_max_freq", "x"),
            )
        },
    })  # fmt: skip
    assert machine_facts.read_cpu_frequency(root) == {
        "drivers": ["intel_pstate"], "governors": ["powersave"], "turbo": False,
        "current_khz": [1200000, 3100000], "min_khz": [800000, 800000], "max_khz": None,
    }  # fmt: skip


def test_turbo_by_the_boost_file_and_few_of_many_policies(tree):
    files = {f"{CPU}/cpufreq/policy{n:03}/scaling_cur_freq": str(n) for n in range(100)}
    facts = machine_facts.read_cpu_frequency(tree({f"{CPU}/cpufreq/boost": "1\n", **files}))
    assert facts["turbo"] is True
    assert facts["current_khz"] == [0, 98], "every seventh"


def test_smt(tree):
    root = tree({f"{CPU}/smt/active": "1\n", f"{CPU}/smt/control": "on\n"})
    assert machine_facts.read_smt(root) == {"active": True, "control": "on"}
    assert machine_facts.read_smt(root + "/none") == {"active": None, "control": None}


@pytest.mark.parametrize(
    ("text", "scheduler"),
    [("none [mq-deadline] kyber", "mq-deadline"), ("none", "none"), ("", None)],
)
def test_scheduler_of_a_disk(tree, text, scheduler):
    assert machine_facts.read_selected(tree({"s": text + "\n"}) + "/s") == scheduler


def test_client_facts_have_its_limit_of_open_files():
    argv = ["sh", "-c", 'ulimit -Sn 333; "$0" -B "$1"/machine_facts.py', sys.executable, AGENT]
    facts = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode())
    assert facts["open_file_limit"][0] == 333
    assert set(facts["virtualization"]) == {"vm", "container", "signs"}
