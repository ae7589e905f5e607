"""Signals that end a recording: when they interrupt it, and when they wait."""

import contextlib
import os
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """What a signal does: it interrupts once; after `hold` it no longer does."""

    def __init__(self):
        self.is_held = False

    def catch(self):
        """Handle the signals from now on."""
        for number in SIGNALS:
            signal.signal(number, self.on_signal)

    def on_signal(self, _number, _frame):
        """Interrupt the recording; a second signal must not interrupt what follows."""
        if not self.is_held:
            self.is_held = True
            raise KeyboardInterrupt

    def hold(self):
        """The load is over: nothing is gained by an interruption."""
        self.is_held = True


@contextlib.contextmanager
def deferred_signals():
    """A signal that arrives within this block is handled at its end: a start under way finishes first."""
    received = []
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: received.append(number))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if received:
            os.kill(os.getpid(), received[0])
