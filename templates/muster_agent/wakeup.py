"""Wakes the event loop."""
from __future__ import annotations

import os
import selectors
import signal


class Wakeup:
    """Wakes the event loop for a child that ended, or for the worker thread. `is_woken` at first, for children that ended before."""

    def __init__(self, selector: selectors.BaseSelector):
        self.is_woken = True
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        selector.register(self.reader, selectors.EVENT_READ, self.drain)

    def drain(self, _: int) -> None:
        os.read(self.reader, 4096)
        self.is_woken = True

    def wake(self) -> None:
        os.write(self.writer, b"\0")
