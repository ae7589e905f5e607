"""Fixture of the tests of raw runs."""

import gzip
import json

import pytest
from raw_runs import FACTS, RUN, STUDY


@pytest.fixture
def raw(tmp_path):
    raw = tmp_path / "raw"
    folder = raw / "pair/first/both-a"
    for role in ("host", "web", "db", "client"):
        (folder / role).mkdir(parents=True)
        (folder / role / "facts.json").write_text(json.dumps({**FACTS, "role": role}))
        if role != "client":
            for kind in ("top", "iotop", "block", "tasks"):
                (folder / role / f"{kind}.log").write_text("")
    (folder / "web/access.log").write_text("")
    (folder / "db/general.log.zst").write_bytes(b"")
    (folder / "client/httperf.log").write_text("")
    (folder / "client/sysbench.log.gz").write_bytes(gzip.compress(b""))
    (folder / "run.json").write_text(json.dumps(RUN, indent=1))
    (raw / "pair/study.json").write_text(json.dumps(STUDY))
    (raw / "pair/second").mkdir()
    (raw / "published").mkdir()
    return raw
