"""Resources of a physical server as names and values."""

import json

import pytest

from pipeline.report.tables.hardware import hardware_items


def test_resources_of_a_recorded_server_have_units(root):
    study = json.loads((root / "data/raw/kvm-case-study/study.json").read_text())
    assert list(hardware_items(study["servers"]["second"]["envelope"])) == [
        ("CPUs used (numbers)", "0"),
        ("CPU quota", "0.5 CPU"),
        ("CPU period", "5,000 µs"),
        ("memory", "web 320 MiB; db 320 MiB"),
        (
            "disk",
            "kind paced; seek min 0.3 ms; seek max 2.4 ms; revolution 3 ms; transfer 60 MB/s; flush 1.5 ms; seed 2",
        ),
    ]


@pytest.mark.parametrize("envelope", [None, [], "a machine", 7])
def test_no_resources_give_no_items(envelope):
    assert list(hardware_items(envelope)) == []


def test_other_keys_are_shown_as_they_are():
    items = dict(
        hardware_items(
            {"title": "t", "sockets": 2, "memory_bytes": 1000, "boost": True, "x_s": [1, 2]}
        )
    )
    assert items == {"sockets": "2", "memory": "1,000 bytes", "boost": "True", "x": "1, 2 s"}
