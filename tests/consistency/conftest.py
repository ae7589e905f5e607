"""The runs whose numbers must be the same everywhere: every run of the case study, and one of the double load."""

from pathlib import Path

import pytest

from pipeline import api, ingest
from pipeline.raw import find_run, find_studies

STUDY = "kvm-case-study"
DOUBLE = "both-005-16-a"


def case_study(root: Path) -> list[tuple[str, str]]:
    """(server, run) of all that the study's plan names as its case study, the double load on one server."""
    study = next(s for s in find_studies(root / "data/raw") if s.name == STUDY)
    named = set(study.case_study.values())
    return [
        (run.server, run.run)
        for run in study.runs()
        if run.run in named and (run.run != DOUBLE or run.server == "second")
    ]


@pytest.fixture(scope="session")
def processed(root, tmp_path_factory) -> Path:
    """Where the runs' tables are."""
    folder = tmp_path_factory.mktemp("consistency")
    ingest.ingest(
        [find_run(root / "data/raw", STUDY, *names) for names in case_study(root)], folder
    )
    return folder


@pytest.fixture(scope="session")
def runs(root, processed) -> list[api.RunData]:
    """The runs as their pages open them."""
    return [
        api.open_run(STUDY, *names, raw=root / "data/raw", processed=processed)
        for names in case_study(root)
    ]
