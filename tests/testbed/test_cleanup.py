"""What was started is taken down, in reverse order, and nothing else is."""

import json
import subprocess

from qvtestbed import cleanup


def test_items_are_undone_in_reverse_order(tmp_path, monkeypatch):
    undone = []
    monkeypatch.setattr(cleanup, "undo", lambda item: undone.append(item["name"]))
    items = cleanup.CleanupList(tmp_path / "running.json")
    for name in ("cgroups", "disk", "mount", "loop", "qemu"):
        items.add("thing", name=name)
    assert cleanup.CleanupList(tmp_path / "running.json").undo_all() == []
    assert undone == ["qemu", "loop", "mount", "disk", "cgroups"]
    assert cleanup.CleanupList(tmp_path / "running.json").items == []


def test_item_that_fails_stays_on_the_list(tmp_path, monkeypatch):
    monkeypatch.setattr(cleanup, "undo", lambda item: "busy" if item["name"] == "loop" else None)
    items = cleanup.CleanupList(tmp_path / "running.json")
    for name in ("mount", "loop"):
        items.add("thing", name=name)
    assert items.undo_all() == ["busy"]
    remaining = cleanup.CleanupList(tmp_path / "running.json").items
    assert [item["name"] for item in remaining] == ["loop"]


def test_process_is_ended_only_if_its_start_time_matches():
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        start = cleanup.read_start_time(process.pid)
        assert cleanup.end_process(process.pid, start + 1, "another process") is None
        assert process.poll() is None
        assert cleanup.end_process(process.pid, start, "this process") is None
        assert cleanup.read_start_time(process.pid) is None
    finally:
        process.kill()


def test_list_of_an_earlier_boot_is_ignored(tmp_path):
    path = tmp_path / "running.json"
    path.write_text(json.dumps({"boot_id": "another", "items": [{"kind": "process"}]}))
    assert cleanup.CleanupList(path).items == []


def test_loop_device_of_another_file_is_not_detached():
    assert cleanup.detach_loop("/dev/loop-no-such", "/some/file") is None
