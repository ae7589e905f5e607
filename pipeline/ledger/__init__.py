"""The ledger: every number of a run as a row, with its unit, equation, variant, source and doubts.

``run_ledger`` computes one run's from its tables; ``store_ledger`` stores it, too. The form is
``tables.LEDGER``.
"""

from pipeline.ledger.build import run_ledger, store_ledger

__all__ = ["run_ledger", "store_ledger"]
