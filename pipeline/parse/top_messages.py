"""Summary lines of top in the languages of procps, and of BusyBox: the labels of their numbers.

procps translates each summary line as a whole, so the labels of a line are of one language. A line is understood if
one language knows all its labels; if two languages do and disagree (``be`` is idle in Polish, user in German), it is
not. The order of the numbers is that of the program in every language.

Taken from procps 3.3.17, 4.0.2, 4.0.4 and 4.0.7; German tasks and CPU, Spanish CPU, Russian units: translations of
distributions.

Example:
    >>> columns_of_labels("cpu", ["uż", "sy", "ni", "be"])[-1]
    'cpu_idle_percent'
    >>> columns_of_labels("cpu", ["be", "sy"]) is None
    True
"""

from __future__ import annotations

from collections.abc import Sequence

TASKS = ("tasks", "tasks_running", "tasks_sleeping", "tasks_stopped", "tasks_zombie")
TASKS_BY_SLEEP = (
    "tasks",
    "tasks_running",
    "s_sleeping",
    "d_sleeping",
    "tasks_stopped",
    "tasks_zombie",
)
CPU = (
    "cpu_user_percent",
    "cpu_system_percent",
    "cpu_nice_percent",
    "cpu_idle_percent",
    "cpu_iowait_percent",
    "cpu_hardirq_percent",
    "cpu_softirq_percent",
    "cpu_steal_percent",
)
MEMORY = ("total", "free", "used", "cache")
SWAP = ("total", "free", "used", "available")

_MESSAGES = (
    ("tasks", TASKS, {
        "en": "total|running|sleeping|stopped|zombie",
        "de": "gesamt|laufend|schlafend|gestoppt|Zombie",
        "es": "total|ejecutar|hibernar|detener|zombie",
        "fr": "total|en cours|en veille|arrêté|zombie",
        "ko": "총계|실행|대기|멈춤|좀비",
        "pl": "razem|działających|śpiących|zatrzymanych|zombie",
        "pt_BR": "total|em exec|dormindo|parado|zumbi",
        "ro": "total|rulând|dormind|oprit(e)|zombi",
        "sv": "totalt|körande|sovande|stoppade|zombie",
        "uk": "загалом|працює|приспано|зупинено|зомбі",
        "vi": "tổng|chạy|ngủ|dừng|ma",
    }),
    ("tasks", TASKS_BY_SLEEP, {
        "en": "total|running|sleep|d-sleep|stopped|zombie",
        "fr": "total|en cours|veille|veille-d|arrêté|zombie",
        "ko": "총계|실행|대기|장기대기|멈춤|좀비",
        "pl": "razem|działających|sen|sen d|zatrzymanych|zombie",
        "ro": "total|rulând|dormind|d-dormind|oprit(e)|zombi",
        "sv": "totalt|kör|sover|d-sover|stoppade|zombie",
        "uk": "загалом|працює|приспано|d-приспано|зупинено|зомбі",
        "zh_CN": "总共|运行中|睡眠|不可中断睡眠|已停止|僵尸",
    }),
    ("cpu", CPU, {
        "en": "us|sy|ni|id|wa|hi|si|st",
        "busybox": "usr|sys|nic|idle|io|irq|sirq",
        "old busybox": "usr|sys|nice|idle|io|irq|softirq",
        "de": "be|sy|ni|un|wa|hi|si|st",
        "es": "us|sis|ni|oc|ag|ih|is|tr",
        "fr": "ut|sy|ni|id|wa|hi|si|st",
        "pl": "uż|sy|ni|be|io|hi|si|sk",
        "sv": "an|sy|ni|in|vä|ha|ma|st",
        "zh_CN": "用|系|ni|闲|等|硬|软|丢",
    }),
    ("cpu", CPU[:5], {
        "en": "user|system|nice|idle|IO-wait",
        "fr": "util|système|courtoisie|inactif|attente E/S",
        "pl": "użytk|system|nice|bezcz|oczek.I/O",
        "sv": "anv|system|nice|inakt|IO-vänt",
        "uk": "кор|система|упод|безд|IO-очік",
    }),
    ("memory", MEMORY, {
        "en": "total|free|used|buff/cache",
        "de": "gesamt|frei|belegt|Puff/Cache",
        "es": "total|libre|usado|búf/caché",
        "fr": "total|libr|util|tamp/cache",
        "ko": "총계|잔여|사용|버퍼/캐시",
        "pl": "razem|wolne|użyte|buf/cache",
        "pt_BR": "total|livre|usados|buff/cache",
        "ro": "total|liberă|utilizată|buff/cache",
        "sv": "totalt|fritt|anv|buff/cache",
        "uk": "загал|вільн|вик|буф/кеш",
        "vi": "tổng|trống|dùng|bộđệm/tạm",
        "zh_CN": "总共|空闲|已用|缓冲/缓存",
    }),
    ("swap", SWAP, {
        "en": "total|free|used|avail",
        "de": "gesamt|frei|belegt|verfü",
        "es": "total|libre|usado|dispon",
        "fr": "total|libr|util|dispo",
        "ko": "총계|잔여|사용|가용",
        "pl": "razem|wolne|użyte|dost",
        "pt_BR": "total|livre|usados|dispon",
        "ro": "total|liberă|utilizată|dispo",
        "sv": "totalt|fritt|anv|tillg",
        "uk": "загал|вільн|вик|дост",
        "uk 4": "загал|віль|вико|дост",
        "vi": "tổng|trống|dùng|sẵnsàng",
        "zh_CN": "总共|空闲|已用|可用",
    }),
    # before 3.3.10, and BusyBox
    ("memory", ("total", "used", "free", "buffers", "cached", "shared"), {
        "en": "total|used|free|buffers|cached|shared",
        "busybox": "total|used|free|buff|cached|shrd",
    }),
    ("swap", ("total", "used", "free", "cached"), {"en": "total|used|free|cached"}),
    ("swap", ("total", "free", "used", "buffers", "cached"), {"en": "total|free|used|buffers|cached"}),
)  # fmt: skip
"""Kind of line, columns in the order of the program, and the labels by language, without the full stops after them."""

MEMORY_WORDS = {
    "Mem": "en", "mem": "pt_BR", "Spch": "de", "메모리": "ko", "RAM": "pl", "Minn": "sv", "Пам": "uk",
    "BNhớ": "vi", "内存": "zh_CN",
}  # fmt: skip
"""The word for memory before a line of sizes, and after the available memory in the line of swap."""


def columns_of_labels(kind: str, labels: Sequence[str]) -> tuple[str, ...] | None:
    """The columns that the labels of a line have.

    Parameters
    ----------
    kind : str
        ``tasks``, ``cpu``, ``memory`` or ``swap``.
    labels : sequence of str
        The labels of all numbers of the line.

    Returns
    -------
    tuple of str or None
        None if no language knows all of them, if languages disagree, or if a label stands twice.
    """
    labels = [_plain(kind, label) for label in labels]
    messages = _columns_by_language(kind)
    # a whole message counts more than a part: some labels are in two messages of one language
    whole = [columns for columns in messages if list(columns) == labels]
    readings = {
        tuple(columns[label] for label in labels)
        for columns in whole or messages
        if all(label in columns for label in labels)
    }
    if len(readings) != 1 or not labels:
        return None
    (columns,) = readings
    return columns if len(set(columns)) == len(columns) else None


def _plain(kind: str, label: str) -> str:
    """A label without percent signs, punctuation and, in the line of swap, the word for memory."""
    parts = label.strip(" \t%,.:").split()
    if kind == "swap" and len(parts) == 2:
        parts = [part for part in parts if part not in MEMORY_WORDS] or parts
    return " ".join(parts).strip(".,")


def _columns_by_language(kind: str) -> list[dict[str, str]]:
    """Column of each label, by language; a message that a language has in two forms is two."""
    return [
        dict(zip(text.split("|"), columns, strict=False))
        for of_kind, columns, by_language in _MESSAGES
        if of_kind == kind
        for text in by_language.values()
    ]
