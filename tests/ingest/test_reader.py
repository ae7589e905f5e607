"""Stored tables: schema, line counts, errors."""

import pytest

from pipeline import ingest, tables
from pipeline.raw import find_runs


def test_every_table_is_in_its_form_also_without_rows(raw, processed):
    for table in tables.STORED:
        schema = ingest.loaded_schema(table)
        assert ingest.load(table, processed).schema == schema
        assert ingest.scan(table, processed).collect().schema == schema
    ingest.ingest(find_runs(raw), processed)
    for table, form in tables.STORED.items():
        loaded = ingest.load(table, processed)
        assert loaded.schema == ingest.loaded_schema(table)
        assert ingest.scan(table, processed).collect(engine="in-memory").equals(loaded)
        added = {"study", "server", "run", "role"} - form.columns.keys()
        own = loaded.drop(added)
        assert tables.conform(own, form).equals(own)
        assert ingest.load(table, processed, role="nobody").height == 0


def test_the_line_counts_of_every_log_add_up(raw, processed):
    ingest.ingest(find_runs(raw), processed)
    counts = ingest.logs(processed)
    assert counts.height == 21
    assert (counts["record_lines"] + counts["headers"] + counts["rejects"] == counts["lines"]).all()
    assert ingest.manifest(processed)["rejects"].to_list() == [1, 1, 1]


def test_an_unknown_table_or_run_is_a_clear_error(raw, processed):
    ingest.ingest(find_runs(raw, run="db-1"), processed)
    with pytest.raises(ingest.IngestError, match="unknown table 'tops'"):
        ingest.load("tops", processed)
    with pytest.raises(ingest.IngestError, match="queuevisor ingest pair/first/db-2"):
        ingest.load("client", processed, "pair", "first", "db-2")
    with pytest.raises(ingest.IngestError, match="queuevisor ingest pair/first/db-2"):
        ingest.scan("client", processed, "pair", "first", "db-2")
    assert ingest.load("client", processed, study="other").height == 0
