"""The effects of an experiment as a JSON document."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from pipeline.factors.effects import Effects
from pipeline.factors.scale import ScaleComparison


def to_document(
    fitted: Effects, comparison: ScaleComparison, notes: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The model's facts and its effects, each with ``name``, ``estimate``, ``low``, ``high`` and ``share``.

    Parameters
    ----------
    fitted, comparison
        The model and the comparison of scales.
    notes
        How the observations were read, in front of the model's own.

    Returns
    -------
    dict
        Numbers, texts, lists and None only. ``estimate`` is half of ``difference``, the mean at the high level minus
        that at the low one; ``share`` is a fraction of the total sum of squares.
    """
    columns = [name for name in fitted.table.columns if fitted.log or not name.startswith("ratio")]
    effects = []
    for row in fitted.table.select(columns).iter_rows(named=True):
        name = row.pop("effect")
        effects.append({"name": name, **{key: _plain(value) for key, value in row.items()}})
    return {
        "response": fitted.response,
        "model": "multiplicative" if fitted.log else "additive",
        "level": fitted.level,
        "rows": fitted.rows,
        "factors": [
            {"name": name, "low": low, "high": high} for name, (low, high) in fitted.levels.items()
        ],
        "mean": {"estimate": fitted.mean, "low": fitted.mean_low, "high": fitted.mean_high},
        "effects": effects,
        "error": {
            "share": _plain(fitted.share_error),
            "standard_deviation": _plain(fitted.residual_sd),
            "degrees_of_freedom": fitted.degrees_of_freedom,
        },
        "share_blocks": _plain(fitted.share_blocks),
        "share_covariates": _plain(fitted.share_covariates),
        "covariates": fitted.covariates,
        "total_sum_of_squares": fitted.sum_of_squares,
        "intervals": fitted.method,
        "pseudo_standard_error": fitted.pseudo_standard_error,
        "simultaneous_margin": fitted.simultaneous_margin,
        "is_orthogonal": fitted.is_orthogonal,
        "defining_relation": fitted.defining_relation,
        "scale": {key: _plain(value) for key, value in asdict(comparison).items()},
        "omitted": fitted.omitted,
        "notes": [*notes, *fitted.notes],
    }


def _plain(value: Any) -> Any:
    """None for a number that JSON lacks."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
