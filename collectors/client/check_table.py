"""The checks before a recording as a table: names, states, texts.

A short module because client and machines are checked in two others, which both fill it.
"""

import textwrap

import texts

OK, NOTE, PROBLEM = "ok", "note", "problem"
ACCEPTABLE = (
    "server_processes", "only", "tasks", "rights", "top", "clock", "space", "workload", "accelerator",
)  # fmt: skip
"""Kinds of problems, the last part of a check's name, that an operator can accept in the plan."""
WIDTH = 80
NAME_WIDTH = 22


class Checks:
    """The checks of a plan, in order."""

    def __init__(self, accepted=()):
        """`accepted`: names of checks whose problems the operator accepts."""
        self.accepted = set(accepted)
        self.rows = []  # (name, state, text)

    def add(self, name, state, text):
        """Add a check."""
        if state == PROBLEM and name.rsplit(".", 1)[-1] in ACCEPTABLE:
            if name in self.accepted:
                state, text = NOTE, texts.ACCEPTED % text
            else:
                text += texts.HOW_TO_ACCEPT % name
        self.rows.append((name, state, text))

    def has_problem(self):
        """True if something must be changed first."""
        return any(state == PROBLEM for _, state, _ in self.rows)

    def check_accepted(self):
        """Each name of the plan's `accept` must be one of a check that can be accepted.

        Called when every machine has answered: else some checks are missing.
        """
        names = {name for name, _, _ in self.rows}
        for name in sorted(self.accepted):
            if name not in names or name.rsplit(".", 1)[-1] not in ACCEPTABLE:
                self.add("accept", PROBLEM, texts.NOT_ACCEPTABLE % name)

    def lines(self, states=(OK, NOTE, PROBLEM), width=WIDTH):
        """The table, as lines of at most `width` characters; a longer word, as a path, is not broken."""
        lines = []
        for name, state, text in self.rows:
            if state not in states:
                continue
            head = "%-8s %-*s " % (state, NAME_WIDTH, name)
            indent = " " * (9 + NAME_WIDTH + 1)
            paragraphs = text.split("\n")
            if len(name) > NAME_WIDTH:
                lines.append(head.rstrip())
                head = indent
            for paragraph in paragraphs:
                lines += textwrap.wrap(
                    paragraph, width, initial_indent=head, subsequent_indent=indent,
                    break_long_words=False, break_on_hyphens=False,
                ) or [head.rstrip()]  # fmt: skip
                head = indent
        return lines

    def summary(self):
        """Numbers of checks by state."""
        states = [state for _, state, _ in self.rows]
        return texts.CHECKED % tuple(states.count(state) for state in (OK, NOTE, PROBLEM))
