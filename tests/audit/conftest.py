"""Tables of the tests, written as CSV."""

import pytest

from pipeline.audit import audit_table


@pytest.fixture
def audit(tmp_path):
    """Audit a table that is given as text; options as of ``audit_table``."""

    def run(text, **options):
        path = tmp_path / "table.csv"
        path.write_text(text)
        return audit_table(path, **options)

    return run


@pytest.fixture
def broken(audit):
    """The formulas that a table breaks, with the lines."""

    def run(text, **options):
        return audit(text, **options).findings.select("line", "formula").rows()

    return run
