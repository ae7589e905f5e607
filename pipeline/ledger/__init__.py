"""The ledger: one row per number of a run, with its unit, equation, variant, source and flags.

``run_ledger`` computes the ledger of one run from its tables; ``store_ledger`` stores it, too. Columns:
``tables.LEDGER``.
"""

from pipeline.ledger.build import run_ledger, store_ledger

__all__ = ["run_ledger", "store_ledger"]
