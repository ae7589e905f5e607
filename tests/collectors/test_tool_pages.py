"""docs/collectors: a page a tool, with an example of its output that is read."""

import pathlib

from conftest import COLLECTORS

PAGES = pathlib.Path(COLLECTORS).parent / "docs" / "collectors"
OF = {
    "collect": "collect", "sampler.py": "collect", "recording.py": "collect", "logs.py": "pieces",
    "pack.py": "pieces", "proc.py": "tasks", "tasks.py": "tasks", "block.py": "block", "vms.py": "vms",
    "qmp.py": "vms", "tools.py": "tools", "iotasks.py": "iotasks", "delays.py": "delays",
    "facts.py": "facts", "slice_log.py": "slice_log", "record_experiment.py": "record_experiment",
    "plan.py": "record_experiment", "machines.py": "record_experiment",
    "loads.py": "record_experiment", "clock.py": "record_experiment", "archive.py": "record_experiment",
    "send.py": "record_experiment", "files.py": "collect", "redact.py": "tasks", "iotop_lines.py": "tools",
}  # fmt: skip
"""Which page tells of which file."""


def test_every_tool_has_a_page_with_an_example_and_the_index_leads_there():
    assert set(OF) == {p.name for p in pathlib.Path(COLLECTORS).glob("*.py")} | {"collect"}
    index = (PAGES / "README.md").read_text()
    for page in sorted(set(OF.values())):
        text = (PAGES / f"{page}.md").read_text()
        assert f"({page}.md)" in index
        assert sum(line.startswith("    ") for line in text.splitlines()) >= 3, "an example"
    assert {p.stem for p in PAGES.glob("*.md")} == {*OF.values(), "README"}


def test_the_pages_examples_are_in_the_forms_that_are_read():
    """What a page shows of a log is read without a reject."""
    from pipeline.parse import log_of, parse_log

    for page, kind in (
        ("tasks", "tasks"),
        ("block", "block"),
        ("iotasks", "iotop"),
        ("tools", "top"),
    ):
        blocks, at = [[]], False
        for line in (PAGES / f"{page}.md").read_text().splitlines():
            inside = line.startswith("    ") or (at and not line.strip())
            if inside:
                blocks[-1].append(line[4:])
            elif at:
                blocks.append([])
            at = inside
        logs_shown = [b for b in blocks if b and b[0].startswith("#T ")]
        assert logs_shown, page
        got = parse_log(kind, log_of("\n".join(logs_shown[0]).rstrip("\n") + "\n", f"{page}.md"))
        assert got.rejects.height == 0 and got.record_lines > 0, page
