"""The headline of a run: numbers, units and conclusions for open, closed, saturated and incomplete runs."""

import math
from dataclasses import replace

import polars as pl
import pytest

from pipeline.api import FAILED, INCONCLUSIVE, NOT_EVALUATED, PASSED
from pipeline.api.stations import (
    GUEST_DISK,
    HOST_CPU,
    VCPU,
    Station,
    busiest_station,
)
from pipeline.report import run_texts
from pipeline.report.tables.headline import Answer, sentences, source_result, station_sentence

OPEN = Answer("web server", "HTTP request", False, 5.0, 0.0107, 0.0305, "passed", inconclusive=5)
CLOSED = Answer(
    "database server", "transaction", True, 14.66, 1.08986, -0.0036, "passed with warnings",
    ("a", "b", "c"),
)  # fmt: skip
IDLE_CPU = Station(HOST_CPU, "host CPU", "host CPU", None, "", 0.2062, 0.2059, 0.2065, 0.0683)
FULL_CPU = replace(IDLE_CPU, utilization=0.9932, low=0.9929, high=0.9935, load_utilization=0.842)


def test_an_open_load_with_headroom():
    work, station, model, checks = sentences([OPEN], IDLE_CPU)
    assert work.startswith("5 HTTP requests/s at 10.7 ms")
    # (1 - background) / (use by requests) = (1 - 0.1379) / 0.0683
    assert "21 % busy (14 % background)" in station and "13 times" in station
    assert "63/s in total" in station  # 5/s times (1 - 0.1379) / 0.0683
    assert "3 % above" in model
    assert "5 inconclusive" in checks


def test_a_closed_load_on_a_full_cpu():
    work, station, model, caveats = sentences([CLOSED], FULL_CPU)
    assert work.startswith("14.7 transactions/s at 1.09 s")
    assert "99 %" in station and run_texts.NO_MORE_FITS in station
    assert "within 1 %" in model
    assert "a; b; and 1 more" in caveats


def test_a_closed_load_with_headroom_can_only_grow_in_throughput():
    text = station_sentence([CLOSED], replace(IDLE_CPU, utilization=0.5, load_utilization=0.4))
    assert "throughput" in text and "2.2 times" in text  # 0.9 / 0.4


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (0.0049, "within 1 %"), (-0.0051, "within 1 %"), (-0.12, "12 % below the client's."),
        (0.3917, "39 % above the client's, outside the tolerance of 15 %"),
    ],
)  # fmt: skip
def test_the_error_of_the_model(error, text):
    assert text in sentences([replace(OPEN, error=error)], IDLE_CPU)[2]


def test_a_model_that_is_saturated_has_no_error_in_percent():
    text = sentences([replace(OPEN, error=math.inf, result="failed")], FULL_CPU)
    assert run_texts.UNBOUNDED_MODEL in text and run_texts.MODEL_FAILED in text
    assert not any("inf " in sentence for sentence in text)


def test_a_missing_client_leaves_the_stations():
    lost = replace(
        OPEN, throughput_per_s=None, response_s=None, error=None, result=NOT_EVALUATED,
        reasons=("client/httperf.log: missing",),
    )  # fmt: skip
    work, station, model = sentences([lost], IDLE_CPU)
    assert "missing" in work and "21 %" in station
    assert "cannot be judged" in model and "client/httperf.log: missing" in model


def test_a_client_without_response_times_states_its_throughput():
    lost = replace(OPEN, response_s=None, error=None, result=NOT_EVALUATED)
    work = sentences([lost], IDLE_CPU)[0]
    assert work.startswith("5 HTTP requests/s") and "missing" in work


def test_of_two_virtual_servers_each_has_its_own_sentences():
    texts = sentences([OPEN, CLOSED], FULL_CPU)
    station, *servers = texts
    assert [text.split(":")[0] for text in servers] == ["Web server", "Database server"]
    assert "99 %" in station and not any("99 %" in text for text in servers)


def test_without_any_utilization_nothing_is_concluded():
    assert station_sentence([OPEN], None) == run_texts.NO_STATION
    assert busiest_station([replace(IDLE_CPU, utilization=None)]) is None


def test_the_busiest_station():
    disk = Station(GUEST_DISK, "guest disk vda", "guest disk vda", "db", "database server", 0.53)
    nan = replace(disk, utilization=math.nan)
    assert busiest_station([disk, FULL_CPU, nan]) is FULL_CPU


def test_a_full_disk_may_still_take_requests_in_parallel():
    disk = Station(GUEST_DISK, "guest disk vda", "guest disk vda", "db", "database server", 0.97)
    text = station_sentence([CLOSED], disk)
    assert "guest disk vda" in text and run_texts.DISK_IS_BUSY in text
    assert "database server" not in text
    assert "database server" in station_sentence([OPEN, CLOSED], disk)


@pytest.mark.parametrize(
    ("changed", "conclusion"),
    [
        ({"utilization": 1.3, "low": 1.2}, run_texts.UNRELIABLE_COUNTER),
        ({"utilization": 1.3, "low": None}, run_texts.UNRELIABLE_COUNTER),
        ({"utilization": 1.0003, "low": 0.9996}, run_texts.NO_MORE_FITS),
        ({"utilization": 0.94, "load_utilization": 0.94}, run_texts.HARDLY_MORE_FITS),
        ({"load_utilization": None}, run_texts.UNKNOWN_HEADROOM),
        ({"load_utilization": 0.0}, run_texts.UNKNOWN_HEADROOM),
    ],
)
def test_conclusions_from_a_utilization(changed, conclusion):
    assert conclusion in station_sentence([OPEN], replace(IDLE_CPU, **changed))


def test_a_failed_check_leaves_the_headroom_open():
    failed = replace(OPEN, result="failed", reasons=("10 errors at the client",))
    assert run_texts.FAILED_HEADROOM in station_sentence([failed], IDLE_CPU)
    assert run_texts.NO_MORE_FITS in station_sentence([failed], FULL_CPU)


def test_a_server_that_serves_less_than_is_offered_is_full():
    overloaded = replace(OPEN, throughput_per_s=87.4, offered_per_s=240.0, result="failed", reasons=("a",))  # fmt: skip
    assert run_texts.NO_MORE_FITS in station_sentence([overloaded], IDLE_CPU)
    served = replace(OPEN, offered_per_s=5.0)
    assert run_texts.NO_MORE_FITS not in station_sentence([served], IDLE_CPU)


def test_sources_that_disagree_are_named():
    checks = pl.DataFrame(
        [
            ("db", "sources agree: CPU time of QEMU", PASSED),
            ("db", "sources agree: CPU time in the guest", FAILED),
            ("web", "sources agree: CPU time in the guest", INCONCLUSIVE),
        ],
        schema=["virtual_server", "check", "result"],
        orient="row",
    )
    vcpu = Station(VCPU, "vCPU", "vCPU", "db", "database server", 0.8, 0.79, 0.81, 0.7)
    assert source_result(checks, FULL_CPU) == ""
    assert source_result(checks, vcpu) == FAILED
    assert source_result(checks, replace(vcpu, virtual_server="web")) == INCONCLUSIVE
    assert run_texts.SOURCES_DISAGREE in station_sentence([CLOSED], vcpu, FAILED)


@pytest.mark.parametrize(
    ("cpus", "is_limit", "text"),
    [
        (1, False, "host's one CPU is"), (4, False, "host's 4 CPUs are"),
        (0.5, True, "0.5 CPU"), (2, True, "2 CPUs that"),
    ],
)  # fmt: skip
def test_the_cpu_of_the_host(cpus, is_limit, text):
    assert text in station_sentence([OPEN], replace(IDLE_CPU, cpus=cpus, is_limit=is_limit))


VCPUS = Station(VCPU, "2 vCPUs", "2 vCPUs", "db", "database server", 0.6, None, None, 0.25, 2.0)


def test_of_a_whole_machine_what_others_use_stays_taken():
    text = station_sentence([CLOSED], VCPUS)
    assert text.startswith("The 2 vCPUs are 60 % busy (35 % background)")
    assert "2.6 times" in text and "38/s in total" in text  # (1 - 0.35) / 0.25, of 14.66/s
    assert run_texts.SAME_MACHINE not in text
    alone = replace(VCPUS, load_utilization=None)
    assert run_texts.UNKNOWN_HEADROOM in station_sentence([CLOSED], alone)
    assert "vCPU is 60 %" in station_sentence([CLOSED], replace(VCPUS, name="vCPU", cpus=1.0))


def test_a_load_generator_on_the_same_machine_is_named():
    local = replace(CLOSED, is_client_machine=True)
    assert station_sentence([local], VCPUS).endswith(run_texts.SAME_MACHINE)
