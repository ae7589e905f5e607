"""The ledger: one row per number of a run, with its unit, equation, variant, source and flags.

:mod:`interval_value` a number with its interval, and how equations propagate it
:mod:`catalogue`      every quantity: unit, equation, inputs
:mod:`evaluation`     the catalogue applied to one virtual server
:mod:`build`          the ledger of a run, and its storage
:mod:`lookup`         numbers of a ledger by quantity and variant
:mod:`texts`          reasons for a missing value, and flags

``run_ledger`` computes the ledger of one run from its tables; ``store_ledger`` stores it and ``read_ledger`` reads it.
The schema is ``tables.LEDGER``. Short, because it only imports these.
"""

from pipeline.ledger.build import read_ledger, run_ledger, store_ledger

__all__ = ["read_ledger", "run_ledger", "store_ledger"]
