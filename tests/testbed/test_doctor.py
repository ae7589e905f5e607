"""What is missing on a machine, and the line with the fix."""

from qvtestbed import doctor


def test_fix_is_one_line(monkeypatch):
    monkeypatch.setattr(
        doctor, "find_program", lambda name: None if name in ("httperf", "mke2fs") else "/x"
    )
    monkeypatch.setattr(doctor, "DEVICES", {"/no/such/device": "a driver (modprobe it)"})
    packages, kernel_features = doctor.list_missing()
    assert (packages, kernel_features) == (["e2fsprogs", "httperf"], ["a driver (modprobe it)"])
    fix = doctor.format_fix(packages, kernel_features)
    assert "apt install e2fsprogs httperf" in fix and "modprobe it" in fix
    assert "\n" not in fix
