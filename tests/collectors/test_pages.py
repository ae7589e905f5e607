"""docs/collectors: one page per tool, with an example of its output that the pipeline reads."""

import pathlib

from .helpers import COLLECTORS

PAGES = pathlib.Path(COLLECTORS).parent / "docs" / "collectors"
OF = {
    "collect": "collect", "daemon.py": "collect", "sampling_loop.py": "collect",
    "files.py": "collect", "machine_check.py": "collect",
    "snapshot_log.py": "snapshot_log", "compress.py": "snapshot_log",
    "procfs.py": "task_counters", "task_counters.py": "task_counters", "redact.py": "task_counters",
    "block_stats.py": "block_stats", "qemu_threads.py": "qemu_threads", "qmp.py": "qemu_threads",
    "top_iotop.py": "top_iotop", "iotop_lines.py": "top_iotop",
    "iotop_fallback.py": "iotop_fallback", "delay_accounting.py": "delay_accounting",
    "machine_facts.py": "machine_facts", "process_limits.py": "collect", "recording_cost.py": "machine_facts",
    "kernel_counters.py": "task_counters", "log_slice.py": "log_slice",
    "send_recording.py": "record_experiment", "record_experiment.py": "record_experiment",
    "experiment_plan.py": "record_experiment", "remote.py": "record_experiment",
    "load_generators.py": "record_experiment", "clock_offset.py": "record_experiment",
    "receive_recording.py": "record_experiment", "texts.py": "record_experiment",
    "preflight.py": "record_experiment", "load_command.py": "record_experiment",
    "client_report.py": "record_experiment", "raw_run.py": "record_experiment",
    "experiment.py": "record_experiment", "preflight_machines.py": "record_experiment",
    "check_table.py": "record_experiment", "interruption.py": "record_experiment",
    "regex_check.py": "record_experiment",
}  # fmt: skip
"""The page of each file."""


def test_every_tool_has_a_page_with_an_example():
    assert set(OF) == {p.name for p in pathlib.Path(COLLECTORS).rglob("*.py")} | {"collect"}
    index = (PAGES / "README.md").read_text()
    for page in sorted(set(OF.values())):
        text = (PAGES / f"{page}.md").read_text()
        assert f"({page}.md)" in index
        assert sum(line.startswith("    ") for line in text.splitlines()) >= 3, "an example"
    assert {p.stem for p in PAGES.glob("*.md")} == {*OF.values(), "README"}


def test_parser_reads_the_examples():
    """Without rejects."""
    from pipeline.parse import log_from_text, parse_log

    for page, kind in (
        ("task_counters", "tasks"),
        ("block_stats", "block"),
        ("iotop_fallback", "iotop"),
        ("top_iotop", "top"),
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
        got = parse_log(
            kind, log_from_text("\n".join(logs_shown[0]).rstrip("\n") + "\n", f"{page}.md")
        )
        assert got.rejects.height == 0 and got.record_lines > 0, page
