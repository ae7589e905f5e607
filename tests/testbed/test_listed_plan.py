"""Plans that list their runs: several guests of one image, and the plan of the scalability study."""

import json

import pytest
import qvtestbed
from qvtestbed import guests, plan, server_lifecycle
from qvtestbed.paths import TESTBED


@pytest.fixture
def scalability_plan():
    return plan.read_plan(TESTBED / "scalability_plan.json")


def test_one_to_four_web_servers_and_threads_up_to_64_in_two_replicates(scalability_plan):
    planned = plan.list_runs(scalability_plan, plan.list_resources(scalability_plan))
    for replicate in (1, 2):
        chosen = [run for run in planned if run.details["replicate"] == replicate]
        web = [run for run in chosen if "db" not in run.loads]
        assert sorted(len(run.loads) for run in web) == [1, 2, 3, 4]
        assert {load.rate for run in web for load in run.loads.values()} == {4}
        threads = sorted(run.loads["db"].threads for run in chosen if "db" in run.loads)
        assert threads == [1, 2, 4, 8, 16, 32, 48, 64]
    assert len({run.path for run in planned}) == len(planned) == 24
    assert len({run.boot for run in planned}) == 4
    assert all(set(run.loads) <= set(run.hardware) for run in planned)
    web = next(run for run in planned if run.name == "web-1-1")
    assert list(web.hardware) == ["web1", "web2", "web3", "web4"]
    assert {hardware.memory_bytes for hardware in web.hardware.values()} == {512 << 20}


def test_manifest_describes_each_guest(scalability_plan):
    resources = plan.list_resources(scalability_plan)
    planned = plan.list_runs(scalability_plan, resources)
    manifest = plan.build_study_manifest(scalability_plan, resources, "tcg", planned, "2026-12-01")
    assert list(manifest["virtual_servers"]) == ["web1", "web2", "web3", "web4", "db"]
    assert manifest["virtual_servers"]["web3"]["title"] == "Web server 3"
    assert manifest["workloads"]["web4"]["tool"] == "httperf"
    assert set(manifest["servers"]["first"]["envelope"]["memory_bytes"]) == set(
        manifest["workloads"]
    )
    load = {"kind": "open", "rate_per_s": 4.0, "arrivals": "even"}
    assert manifest["runs"]["first"]["web-2-1"]["load"] == {"web1": load, "web2": load}
    assert "case_study" not in manifest and manifest["held_out"] == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda start: start["guests"].append("mail"), "'mail'"),
        (lambda start: start["runs"][0].update(name="../up"), "safe name"),
        (lambda start: start["runs"][1].update(name=start["runs"][0]["name"]), "twice"),
        (lambda start: start["runs"][0]["loads"].update(db={"threads": 1}), "'db' is not started"),
        (lambda start: start["runs"][0]["loads"].update(web1={"threads": 1}), "'rate'"),
    ],
)
def test_error_names_the_file(tmp_path, scalability_plan, change, reason):
    change(scalability_plan["starts"][0])
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(scalability_plan))
    with pytest.raises(qvtestbed.TestbedError, match=reason) as error:
        plan.read_plan(path)
    assert str(path) in str(error.value)


def test_ssh_of_each_guest_checks_the_key_of_its_image(tmp_path, monkeypatch):
    config = tmp_path / "ssh" / "config"
    monkeypatch.setattr(server_lifecycle, "SSH_CONFIG", config)
    server_lifecycle.write_ssh_config(["web2", "db"])
    hosts = [entry.split("\n") for entry in config.read_text().split("Host ")[1:]]
    assert [host[0] for host in hosts] == ["web2", "db"]
    assert "  Port 22042" in hosts[0] and "  HostKeyAlias [127.0.0.1]:22022" in hosts[0]
    assert "  Port 22023" in hosts[1] and "  HostKeyAlias [127.0.0.1]:22023" in hosts[1]


def test_no_two_guests_share_a_port():
    names = [f"{image}{number or ''}" for image in guests.IMAGES for number in range(10)]
    ports = [
        port
        for name in names
        for port in (guests.get_ssh_port(name), guests.get_service_port(name))
    ]
    assert len(set(ports)) == len(ports) == 40
    assert [guests.get_image(name) for name in names] == ["web"] * 10 + ["db"] * 10
