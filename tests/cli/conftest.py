"""A small study of its own for the command line: one recorded run, copied so that it can be damaged."""

import sys
from collections.abc import Callable

import pytest
from recorded_run import RecordedRun, copy_run

from pipeline.cli import main


@pytest.fixture(scope="session")
def one_run(root, tmp_path_factory) -> RecordedRun:
    """One run, ingested once for all tests that do not change it."""
    return copy_run(root, tmp_path_factory.mktemp("one_run"))


@pytest.fixture
def own_run(root, tmp_path) -> RecordedRun:
    """One run that the test may damage."""
    return copy_run(root, tmp_path)


@pytest.fixture
def call(capsys, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """The program in this process: exit code, standard output, standard error."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["queuevisor", *map(str, words)])
        try:
            code = main()
        except SystemExit as exit_:
            code = exit_.code
        done = capsys.readouterr()
        return code or 0, done.out, done.err

    return call
