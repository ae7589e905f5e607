"""Sentences of the page about influence factors."""

from __future__ import annotations

from collections.abc import Sequence

NOT_VARIED = "not varied"
NO_RESPONSE_TIME = "no run has a response time"


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


def answer(
    title: str, beyond: Sequence[str], unclear: Sequence[str], effects: int, *, is_separated: bool
) -> str:
    """The factors that change the response time, with their effects; those that may, too."""
    noun = (
        "factors" if is_separated else "pairs of factors, which the recorded runs do not separate,"
    )
    if beyond:
        verb = "changes" if len(beyond) == 1 else "change"
        text = (
            f"{_title(title)}: {len(beyond)} of {effects} {noun} {verb} the response time beyond noise: "
            f"{', '.join(beyond)}"
        )
    else:
        text = f"{_title(title)}: none of {effects} {noun} changes the response time beyond noise"
    return f"{text}; inconclusive: {', '.join(unclear)}." if unclear else f"{text}."


def not_separated(factor: str) -> str:
    """A factor whose effect is shown with another one's."""
    return f"not separated from {factor}"


def confounded(title: str, pairs: Sequence[str]) -> str:
    """Factors with the same or the opposite levels in all recorded runs."""
    return (
        f"{title}: the recorded runs do not separate {'; '.join(pairs)}: an effect belongs to either of them, or to "
        "both; the missing runs of the plan separate them"
    )


def no_answer(title: str, reason: str) -> str:
    """An experiment without effects on the response time."""
    return f"{_title(title)}: no effects yet: {reason}."


def incomplete(title: str, recorded: int, planned: int) -> str:
    """Planned runs are missing."""
    return (
        f"{title}: {recorded} of {planned} planned runs are recorded; effects are estimated from these, by least "
        "squares, and are less balanced than planned"
    )


def missing_values(title: str, runs: int, reason: str) -> str:
    """Recorded runs with a missing value."""
    count = "1 recorded run lacks" if runs == 1 else f"{runs} recorded runs lack"
    return f"{title}: {count} a value (the first: {reason})"


def no_effects(title: str, response: str, reason: str) -> str:
    """A response whose effects cannot be estimated."""
    return f"{title}, {response}: no effects: {reason}"


def constant_factors(title: str, factors: Sequence[str]) -> str:
    """Factors with one level in all runs with a value."""
    return f"{title}: one level only in the runs with a value: {', '.join(factors)}"


def interactions(chains: int, estimated: int, beyond: int) -> str:
    """How many interactions are estimated and beyond noise."""
    if not estimated:
        return "The recorded runs do not separate interactions from noise: only main effects are estimated."
    return (
        f"{chains} interactions of two factors (or chains of aliased ones) are estimated on each response; "
        f"{beyond} of {estimated} are beyond noise."
    )


def model_answer(
    effects: int, predicted: int, given_demand: int, unknown: Sequence[str], unbounded: int
) -> str:
    """How many effects beyond noise on R and X the model predicts."""
    if not effects:
        return "No effect on R or X is beyond noise, so there is nothing for the model to predict."
    text = (
        f"Of {effects} effects on R and X beyond noise the model predicts {predicted} by itself and {given_demand} "
        "more given each run's own demands"
    )
    text += f"; not known to it: {'; '.join(unknown)}." if unknown else "; none is unknown to it."
    if unbounded:
        text += f" In {unbounded} runs it predicts no finite R (the load exceeds the capacity); they are left out."
    return text


def interval_method(method: str | None) -> str:
    """How the intervals are made."""
    if method == "t":
        return "Intervals by Student's t: the residuals have degrees of freedom."
    if method == "lenth":
        return (
            "No degrees of freedom are left for the error (no replicates yet): the intervals are those of Lenth's "
            "pseudo standard error, which takes most effects for none. They are too wide where many factors matter."
        )
    return "The recorded runs give no intervals."
