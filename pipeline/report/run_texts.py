"""Sentences at the head of a run's page: work done, what is full, whether more load fits, how good the model is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.units import format_short

MAX_CAVEATS = 2
"""Caveats in the headline; the others are counted."""


def duration(seconds: float) -> str:
    """A time of one request: ms below a second."""
    return f"{format_short(seconds)} s" if seconds >= 1 else f"{format_short(seconds * 1e3)} ms"


_UNIT = re.compile(r"(?<=\d) (?=%|ms\b|s\b)")


def unbroken_units(sentence: str) -> str:
    """A sentence whose numbers and units stay on one line."""
    return _UNIT.sub("\N{NO-BREAK SPACE}", sentence)


def fold_title(title: str) -> str:
    """The line that what is about a further virtual server is folded under."""
    return title[:1].upper() + title[1:]


def about(title: str, sentence: str) -> str:
    """A sentence about one of several virtual servers; ``title`` is empty for the only one."""
    return f"{title[:1].upper()}{title[1:]}: {sentence}" if title else sentence


def work_done(request: str, throughput_per_s: float, response_s: float | None) -> str:
    """Throughput and response time at the client; ``request`` is the client's word for one."""
    text = f"{format_short(throughput_per_s)} {request}s/s"
    if response_s is None:
        return f"{text}; the response time is missing."
    return f"{text} at {duration(response_s)} each."


NO_CLIENT = "the client's throughput and response time are missing."


def not_judged(reason: str) -> str:
    """Without the client's figures the model cannot be judged."""
    return f"The model cannot be judged{f': {reason}' if reason else ''}."


UNBOUNDED_MODEL = (
    "By the model the response time is infinite: the load exceeds the capacity of the CPU."
)
MODEL_FAILED = "The model check failed: do not use the model for this load."


def model_error(error: float, tolerance: float) -> str:
    """The relative error of the modelled response time, and whether it exceeds ``tolerance``."""
    percent = abs(100 * error)
    if percent < 1:
        return "The modelled response time is within 1 % of the client's."
    side = "above" if error > 0 else "below"
    beyond = f", outside the tolerance of {100 * tolerance:.0f} %" if abs(error) > tolerance else ""
    return f"The modelled response time is {percent:.0f} % {side} the client's{beyond}."


def caveats(reasons: Sequence[str], *, has_failed: bool = False) -> str:
    """Reasons against the numbers, at most ``MAX_CAVEATS`` of them; of a failed check they are its reasons."""
    shown = list(reasons[:MAX_CAVEATS])
    if more := len(reasons) - len(shown):
        shown.append(f"and {more} more")
    label = "Reason" if has_failed else "Caveat"
    return f"{label}{'s' if len(reasons) > 1 else ''}: {'; '.join(shown)}."


def all_passed(inconclusive: int) -> str:
    """No quality check failed; how many gave no result."""
    return "No quality check failed" + (f"; {inconclusive} inconclusive." if inconclusive else ".")


# -- stations ----------------------------------------------------------------------------------------------

NO_STATION = "No utilization was measured: what is full, and whether more load fits, is not known."


def host_cpu(cpus: float, *, is_limit: bool) -> str:
    """The host's CPU as the subject of a sentence, with its verb."""
    if cpus == 1:
        subject, verb = "one CPU", "is"
    else:
        subject, verb = f"{cpus:g} CPU{'s' if cpus > 1 else ''}", "are" if cpus > 1 else "is"
    if is_limit:
        return f"The {subject} that the guests share on the host {verb}"
    return f"The host's {subject} {verb}"


def station(name: str, title: str, *, is_plural: bool = False) -> str:
    """A station of a virtual server as the subject of a sentence; ``title`` names it where several had a load."""
    verb = "are" if is_plural else "is"
    return f"The {name} of the {title} {verb}" if title else f"The {name} {verb}"


SAME_MACHINE = "The load generator runs on the same machine and uses the same CPUs."


def busy(subject: str, utilization: float, rest: str, background: float = 0.0) -> str:
    """How busy the busiest station is, its background where that is not small, and what it means for more load."""
    part = f" ({100 * background:.0f} % background)" if background >= MIN_BACKGROUND else ""
    return f"{subject} {100 * utilization:.0f} % busy{part}: {rest}."


MIN_BACKGROUND = 0.02
"""A smaller utilization by background is not worth a word."""


NO_MORE_FITS = "no more load fits"
HARDLY_MORE_FITS = "hardly any more load fits"
DISK_IS_BUSY = "more load fits only if this disk serves several requests at a time"
UNRELIABLE_COUNTER = (
    "more than 100 % shows that its counter is unreliable; whether more load fits is not known"
)
UNKNOWN_HEADROOM = "how much more load fits is not known"
FAILED_HEADROOM = "a check failed, so how much more load fits is not known"


def headroom(factor: float, *, is_closed: bool, throughput_per_s: float | None = None) -> str:
    """How much more load fits; of a closed load the throughput, because threads wait for each other."""
    times = f"{factor:.0f}" if factor >= 10 else format_short(factor, 2)
    total = ""
    if throughput_per_s is not None:
        total = f", {format_short(factor * throughput_per_s, 2)}/s in total"
    if is_closed:
        return f"at constant service demands the throughput can grow to at most {times} times this{total}"
    return f"at constant service demands about {times} times this load fits{total}; the response time rises before that"


SOURCES_DISAGREE = " (a second source disagrees)"
SOURCES_UNCERTAIN = " (a second source neither confirms nor contradicts it)"

# -- drawing -----------------------------------------------------------------------------------------------


def network_title(virtual_server: str) -> str:
    """Title of the drawing of a virtual server's queueing network."""
    return f"Queueing network of the {virtual_server}"


def network_caption(*, is_closed: bool) -> str:
    """What the numbers in the drawing are, as Markdown."""
    layer = "; a closed model has the virtualization layer in its CPU time" if is_closed else ""
    return (
        "The queueing network of the paper's Figure 5 with the times of the "
        f"[host model](../docs/glossary.md#host-model) per request{layer}. In the circles: utilization, as measured."
    )


def residence_caption(*, is_closed: bool) -> str:
    """What the bars of residence times are, as Markdown."""
    corrected = (
        "solves the closed load by mean value analysis, so its times include waiting"
        if is_closed
        else "has the host disk's time within that of the guest disk; the difference is the virtualization layer's time"
    )
    return (
        "**client**: the mean that the client measured. **host model**: the model that is checked against it. "
        f"**as-printed**, **corrected**: the paper's equations; the corrected variant {corrected}."
    )


# -- warnings ----------------------------------------------------------------------------------------------

MAX_WARNINGS, MAX_CHARACTERS = 2, 100
"""Warnings at the head of the page, and the length to which each is cut."""


def warning_count(count: int) -> str:
    """A number of warnings."""
    return "1 warning" if count == 1 else f"{count} warnings"


def warnings_title(count: int) -> str:
    """Title of the list of warnings."""
    return f"Warnings ({count})" if count else "No warnings"


def warnings_head(count: int, escaped: Sequence[str]) -> str:
    """The number of warnings with the first ones and a link to all, as Markdown."""
    lines = "".join(f"\n- {text}" for text in escaped)
    head = f"**{warning_count(count)}** about the logs and numbers of this run"
    if count > len(escaped):
        head += f", the first {len(escaped)} here"
    return f"{head} ([data quality](#data-quality)):\n{lines}"


def failed_head(title: str, checks: Sequence[str]) -> str:
    """The number of failed checks, the first of them (escaped) and a link to all, as Markdown."""
    number = "1 failed check" if len(checks) == 1 else f"{len(checks)} failed checks"
    of_it = f" of the {title}" if title else ""
    first = checks[0] if len(checks) == 1 else f"{checks[0]}; and {len(checks) - 1} more"
    return f"**{number}**{of_it} ([quality checks](#quality-checks)): {first}."


def cut(text: str) -> str:
    """A text cut between two words to at most ``MAX_CHARACTERS``."""
    if len(text) <= MAX_CHARACTERS:
        return text
    return f"{text[:MAX_CHARACTERS].rsplit(' ', 1)[0]} …"
