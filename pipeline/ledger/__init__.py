"""The ledger: every number of a run as a row, with its unit, equation, variant, source and doubts.

``run_ledger`` computes one run's from its tables; ``study_ledger`` puts a study's together. The form is
``tables.LEDGER``.
"""

from pipeline.ledger.build import run_ledger, study_ledger

__all__ = ["run_ledger", "study_ledger"]
