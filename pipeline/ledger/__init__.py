"""The ledger: one row per number of a run, with its unit, equation, variant, source and flags.

:mod:`interval_value` a number with its interval, and how equations propagate it
:mod:`catalogue`      every quantity: unit, equation, inputs
:mod:`evaluation`     the catalogue applied to one virtual server
:mod:`build`          the ledger of a run, and its storage
:mod:`lookup`         numbers of a ledger by quantity and variant
:mod:`texts`          reasons for a missing value, and flags

``run_ledger`` computes the ledger of one run from its tables; ``store_ledger`` stores it. The schema is
``tables.LEDGER``. Short, because it only imports these two.
"""

from pipeline.ledger.build import run_ledger, store_ledger

__all__ = ["run_ledger", "store_ledger"]
