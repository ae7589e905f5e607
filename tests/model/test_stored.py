"""Stored results: read back bit for bit; damaged, of another key, read-only, and with several processes."""

import json
import math
import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_runs import open_load, runs_alone

from pipeline.model import fit, stored
from pipeline.model.observation import Observation
from pipeline.model.stored import Busy, decode, digest_of, encode, result_key, stored_or_computed


class Computation:
    """A result, and how often it was computed."""

    def __init__(self, result):
        self.result, self.times = result, 0

    def __call__(self):
        self.times += 1
        return self.result


def test_an_observation_is_read_back_bit_for_bit():
    run = runs_alone(relative_sd=0.1)[0]
    again = decode(Observation, json.loads(json.dumps(encode(run))))
    assert encode(again) == encode(run) and again.digest == run.digest
    draws = run.run_demands.demand("host_cpu").draws_s
    assert again.run_demands.demand("host_cpu").draws_s.tobytes() == draws.tobytes()
    assert again.load == open_load(10, "even") and again.window is None


@pytest.mark.parametrize("value", [math.inf, 0.1 + 0.2, 5e-324, -0.0])
def test_special_numbers_survive(value):
    text = json.dumps(encode({"a": np.array([value, math.nan])}))
    assert np.array(json.loads(text)["a"]).tobytes() == np.array([value, math.nan]).tobytes()


def test_an_array_of_other_numbers_is_refused():
    with pytest.raises(TypeError, match="int64"):
        encode(np.array([1, 2]))
    with pytest.raises(TypeError, match="Path"):
        encode({"a": Path("x")})


def test_a_result_is_computed_once_per_key(tmp_path):
    path, compute = tmp_path / "a" / "r.json", Computation({"x": [1.5, None]})
    for _ in range(3):
        assert stored_or_computed(path, "k", compute) == {"x": [1.5, None]}
    assert compute.times == 1
    assert stored_or_computed(path, "other", compute) == {"x": [1.5, None]}
    assert compute.times == 2
    assert [file.name for file in path.parent.iterdir()] == ["r.json"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-3],
        lambda data: data[:40],
        lambda data: b"",
        lambda data: data.replace(b"1.5", b"1.6"),
        lambda data: data + b"\0",
        lambda data: b"\0" * len(data),
        lambda data: b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_computed_again_and_replaced(tmp_path, damage):
    path, compute = tmp_path / "r.json", Computation(1.5)
    stored_or_computed(path, "k", compute)
    intact = path.read_bytes()
    path.write_bytes(damage(intact))
    assert stored_or_computed(path, "k", compute) == 1.5 and compute.times == 2
    assert path.read_bytes() == intact


def test_where_nothing_can_be_written_results_are_computed(tmp_path):
    (tmp_path / "file").write_text("")  # no folder: root may write into a read-only one
    compute = Computation(2.5)
    for _ in range(2):
        assert stored_or_computed(tmp_path / "file" / "r.json", "k", compute) == 2.5
    assert compute.times == 2


def test_a_read_only_folder_still_serves_what_it_has(tmp_path, monkeypatch):
    path, compute = tmp_path / "r.json", Computation(2.5)
    stored_or_computed(path, "k", compute)

    def refuse(*_):
        raise PermissionError(13, "read-only")

    monkeypatch.setattr(stored, "_write", refuse)
    assert stored_or_computed(path, "k", compute) == 2.5 and compute.times == 1
    assert stored_or_computed(path, "other", compute) == 2.5 and compute.times == 2


def _slowly(path, started, may_end, log):
    def compute():
        started.set()
        assert may_end.wait(30)
        with Path(log).open("a") as file:
            file.write("computed\n")
        return {"by": 1}

    stored_or_computed(path, "k", compute)


def test_two_processes_compute_a_result_once(tmp_path):
    context = multiprocessing.get_context("fork")
    path, log = tmp_path / "r.json", tmp_path / "log"
    started, may_end = context.Event(), context.Event()
    process = context.Process(target=_slowly, args=(path, started, may_end, log))
    process.start()
    assert started.wait(30)
    with pytest.raises(Busy):
        stored_or_computed(path, "k", Computation(None), wait=False)
    may_end.set()
    own = Computation({"by": 2})
    assert stored_or_computed(path, "k", own) == {"by": 1} and own.times == 0
    process.join()
    assert log.read_text() == "computed\n"


def test_the_key_depends_on_inputs_and_code(monkeypatch):
    key = result_key("run", {"a": 1, "b": None}, 300)
    assert key == result_key("run", {"b": None, "a": 1}, 300)
    assert key not in {result_key("run", {"a": 1, "b": None}, 301), result_key("run", {}, 300)}
    monkeypatch.setattr(stored, "code_version", lambda *_: "another")
    assert key != result_key("run", {"a": 1, "b": None}, 300)


def test_a_fit_is_stored_with_its_runs(tmp_path, monkeypatch):
    runs = runs_alone(relative_sd=0.1)
    plain = fit.fit_host(runs, calibrated=True)
    kept = [_with_results(run, tmp_path) for run in runs]
    first = fit.fit_host(kept, calibrated=True)
    monkeypatch.setattr(fit, "fit_curve", None)
    fit._fit_curves.cache_clear()
    again = fit.fit_host(kept, calibrated=True)
    for model in (first, again):
        assert encode(model.cpu) == encode(plain.cpu) and encode(model.disk) == encode(plain.disk)
        assert model.calibration == plain.calibration and model.run_sd == plain.run_sd
        assert (
            model.predict(runs[0].load).response_time_s[0]
            == (plain.predict(runs[0].load).response_time_s[0])
        )
    with pytest.raises(TypeError):  # other runs are fitted anew
        fit.fit_host(kept[:-1], calibrated=True)


def test_the_point_estimate_alone_is_that_of_the_fit_with_draws():
    runs = runs_alone(relative_sd=0.1)
    whole = fit.fit_host(runs, calibrated=True).point_estimate()
    alone = fit.fit_host(runs, calibrated=True, with_draws=False)
    for name in fit.CURVES:
        assert encode(getattr(alone, name)) == encode(getattr(whole, name))
    assert alone.calibration == whole.calibration and alone.run_sd == whole.run_sd


def _with_results(run, folder):
    kept = replace(run, results=folder)
    assert kept.digest == run.digest == digest_of(run)
    return kept
