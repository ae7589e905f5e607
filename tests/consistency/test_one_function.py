"""No quantity of the catalogue is computed by two functions, and only ``measure`` subtracts counters."""

import ast
import re

import polars as pl
import pytest

from pipeline.ledger import catalogue
from pipeline.ledger.catalogue import CATALOGUE, CHOICES, ENTRIES, ORDER, VARIANTS, dependents_of
from pipeline.ledger.evaluation import Evaluation
from pipeline.measure.virtual_server import RunCounters

COUNTERS = {
    "cpu_time_s", "utime_ticks", "stime_ticks", "guest_time_ticks", "child_utime_ticks", "child_stime_ticks",
    "io_ticks_ms", "time_in_queue_ms", "reads", "writes", "read_sectors", "write_sectors", "blkio_delay_ticks",
    "user_ticks", "nice_ticks", "system_ticks", "idle_ticks", "iowait_ticks", "irq_ticks", "softirq_ticks",
    "steal_ticks", "cancelled_write_bytes", "_ticks",
}  # fmt: skip
"""Columns of the tables that only grow; a name that is put together ends in ``_ticks``."""
ABOVE = (
    "ledger/", "demands/", "quality/", "model/", "evaluate/", "api/", "report/", "charts/", "cli/", "course/",
)  # fmt: skip
"""Packages that read what ``measure`` has measured."""


class Recording(Evaluation):
    """Notes which quantities each one asks for."""

    def __init__(self, counters):
        super().__init__(counters)
        self.asked: dict[str, set[str]] = {}
        self._stack: list[str] = []

    def _noted(self, symbol, compute):
        if self._stack:
            self.asked.setdefault(self._stack[-1], set()).add(symbol)
        self._stack.append(symbol)
        try:
            return compute()
        finally:
            self._stack.pop()

    def get(self, symbol, choice=None):
        return self._noted(symbol, lambda: super(Recording, self).get(symbol, choice))

    def of_variant(self, symbol, variant):
        return self._noted(symbol, lambda: super(Recording, self).of_variant(symbol, variant))


def test_each_symbol_has_one_entry_and_one_function():
    assert len(CATALOGUE) == len(ENTRIES)
    assert set(CATALOGUE) <= set(ORDER)
    for entry in ENTRIES:
        assert callable(entry.compute) and entry.unit and entry.label and entry.latex
        assert set(entry.choices) <= {*CHOICES, "variant"}
        assert entry.source or entry.inputs
        assert set(entry.inputs) <= set(CATALOGUE)


def test_what_a_quantity_is_computed_from_is_what_its_entry_says(runs):
    for data in runs:
        for vs in data.loaded:
            evaluation = Recording(RunCounters(data.run, vs, data.processed))
            assert [*evaluation.rows()]
            closed = vs.workload.kind == "closed"
            for symbol, inputs in evaluation.asked.items():
                declared = {symbol, *CATALOGUE[symbol].inputs}
                if (
                    closed and CATALOGUE[symbol].part
                ):  # MVA goes from the demands to R_req in one step
                    declared |= {i for name in declared for i in CATALOGUE[name].inputs}
                assert inputs <= declared, symbol


def test_every_row_of_the_ledger_is_of_the_catalogue_and_there_once(runs):
    for data in runs:
        frame = data.ledger
        assert set(frame["quantity"]) <= set(CATALOGUE)
        keys = ["virtual_server", "subject", "quantity", "equation", "variant", *CHOICES]
        assert frame.select(keys).is_duplicated().sum() == 0
        # one number for each variant
        named = frame.filter(pl.col("variant").is_not_null())
        assert named.select("virtual_server", "quantity", "variant").is_duplicated().sum() == 0
        assert set(named["variant"]) == set(VARIANTS)
        assert set(frame["interval"].drop_nulls()) <= {"resolution", "95 %"}


def test_dependents_follow_from_the_inputs():
    assert dependents_of(["T_cpu"]) >= {"R_cpu", "R_req", "error_R", "U_vcpu", catalogue.X_MVA}
    assert dependents_of(["R_client"]) == {"R_client", "N_client", "error_R"}
    assert dependents_of([catalogue.ALL]) == set(ORDER)
    with pytest.raises(KeyError, match="T_nothing"):
        dependents_of(["T_nothing"])


# -- only measure subtracts counters ------------------------------------------------------------------------


def names_a_counter(node: ast.AST) -> bool:
    """Whether a counter's column is named in an expression."""
    return any(
        isinstance(part, ast.Constant)
        and isinstance(part.value, str)
        and (part.value in COUNTERS or part.value.endswith("_ticks"))
        for part in ast.walk(node)
    )


def subtractions(source: str) -> list[int]:
    """Lines that subtract, or take differences of, an expression in which a counter's column is named."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            # a sum of one moment's counters, such as utime − guest_time, is no difference over time
            parts = [n for side in (node.left, node.right) for n in [side] if names_a_counter(n)]
            found += [node.lineno] if parts else []
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("diff", "shift", "pct_change")
            and names_a_counter(node.func.value)
        ):
            found.append(node.lineno)
    return found


ALLOWED = {
    "course/run_measures.py": r"cpu_time_s_first",  # a wrong answer's value: all processes of the guest
    "demands/host_cpu.py": r"SELF_CPU - guest",  # R_kvm is a difference of two counters at one moment
    "quality/disk.py": r"cancelled_write_bytes",  # a cancelled write is no write
}


def test_only_measure_subtracts_counters(root):
    wrong = []
    for path in sorted((root / "pipeline").rglob("*.py")):
        name = path.relative_to(root / "pipeline").as_posix()
        if not name.startswith(ABOVE):
            continue
        source = path.read_text()
        lines = source.splitlines()
        for line in subtractions(source):
            if not re.search(ALLOWED.get(name, r"(?!)"), lines[line - 1]):
                wrong.append(f"{name}:{line}: {lines[line - 1].strip()}")
    assert wrong == []


def test_the_search_finds_what_it_looks_for():
    assert subtractions('a = pl.col("utime_ticks").diff()') == [1]
    assert subtractions('a = after["io_ticks_ms"] - before["io_ticks_ms"]') == [1]
    assert subtractions('a = rows["reads"].shift()\nb = x["value"] - y["value"]') == [1]


def test_one_loader_and_one_finder_of_processes(root):
    """Processes are identified in one place."""
    for pattern in (r"\.str\.contains\([^)]*(qemu_process|server_processes)", r"ingest\.load\("):
        using = {
            path.relative_to(root / "pipeline").as_posix()
            for path in (root / "pipeline").rglob("*.py")
            if re.search(pattern, path.read_text())
        }
        assert all(name.startswith(("measure/", "ingest/")) for name in using), using
