"""servers.json: the two servers, and how errors in it are reported."""

import json

import pytest
import qvtestbed
from qvtestbed import servers
from qvtestbed.guests import DOCUMENT_BYTES, DOCUMENTS, GUESTS


def test_servers_differ_and_leave_a_cpu_to_the_load_generators():
    all_resources = servers.read_servers()
    assert list(all_resources) == ["first", "second"]
    first, second = all_resources["first"], all_resources["second"]
    assert second["cpu_quota"] < first["cpu_quota"]
    assert second["cpu_period_us"] <= 5000
    assert all(second["memory_bytes"][name] < first["memory_bytes"][name] for name in GUESTS)
    for resources in all_resources.values():
        assert resources["cpus"] == [0]
        assert resources["memory_bytes"]["web"] < DOCUMENTS * DOCUMENT_BYTES


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"cpu_quota": 0}, "cpu_quota"),
        ({"cpu_quota": 2}, "cpu_quota"),
        ({"memory_bytes": {"web": 1}}, "memory_bytes"),
    ],
)
def test_error_names_file_server_and_key(tmp_path, change, key):
    path = tmp_path / "servers.json"
    resources = {**servers.read_servers()["first"], **change}
    path.write_text(json.dumps({"servers": {"odd": resources}}))
    with pytest.raises(qvtestbed.TestbedError, match=key) as error:
        servers.read_servers(path)
    assert str(path) in str(error.value)
    assert "odd" in str(error.value)


def test_error_for_an_unknown_server_lists_the_servers():
    with pytest.raises(qvtestbed.TestbedError, match=r"third.*first, second"):
        servers.read_server("third")
