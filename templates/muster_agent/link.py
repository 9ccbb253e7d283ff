"""The line to whichever coordinator is attached."""
import array
import json
import os
import selectors
import socket
from time import monotonic as now

from .coordinator import Coordinator
from .guard import may_attach
from .wire import prose, to_line


CANDIDATES = 8  # connections that have not said who they are


class Link:
    """At most one coordinator at a time: a newer one replaces the older, if the run's folder is its own. While there is none,
    what is said is lost; results are not, since a coordinator that comes is told all that the ledger holds."""

    def __init__(self, selector):
        self.selector = selector
        self.coordinator = None
        self.candidates = []
        self.heard = now()

    def listen(self, listener, refusal, greet, hear):
        """From now on coordinators may come. refusal(message) says what to answer to the first line of one that may not attach,
        or None; greet() is called for each that may, then hear(line) for what it says."""
        self.listener, self.refusal, self.greet, self.hear = listener, refusal, greet, hear
        self.selector.register(listener, selectors.EVENT_READ, self.accept)

    def expiry(self, lease):
        """When the lease ends: a coordinator that lives is heard again and again; one of a broken line may seem to be there."""
        return self.heard + lease

    def accept(self, _):
        try:
            knocker, _address = self.listener.accept()
            if not may_attach(knocker):
                return knocker.close()
            knocker.settimeout(5)
            _, ancillary, _, _ = knocker.recvmsg(16, socket.CMSG_SPACE(8))
        except OSError:
            return
        fds = passed(ancillary)
        if len(fds) != 2:
            for fd in fds:
                os.close(fd)
            return knocker.close()
        candidate = Coordinator(knocker, *fds)
        self.candidates.append(candidate)
        self.selector.register(candidate.reader, selectors.EVENT_READ, lambda _: self.admit(candidate))
        if len(self.candidates) > CANDIDATES:
            self.dismiss(self.candidates[0])

    def admit(self, candidate):
        """The first line says who it is: it is attached in the place of whoever was, or refused and dismissed."""
        lines = candidate.receive()
        if lines == []:
            return
        refusal = self.refusal_of(lines[0]) if lines else {}
        if refusal is not None:
            if refusal:
                candidate.fresh.append(to_line(refusal))
            return self.dismiss(candidate)
        self.candidates.remove(candidate)
        self.selector.unregister(candidate.reader)
        if self.coordinator:
            self.problem("another coordinator took over this run")
            self.detach()
        self.coordinator = candidate
        self.selector.register(candidate.reader, selectors.EVENT_READ, self.receive)
        self.greet()
        self.take(lines)

    def refusal_of(self, line):
        """What to answer to a first line: nothing to one that makes no sense, None to a coordinator that may attach."""
        try:
            return self.refusal(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def dismiss(self, candidate):
        """Lets go of a connection that is not attached, having told it why."""
        self.candidates.remove(candidate)
        self.selector.unregister(candidate.reader)
        try:
            candidate.flush()
        except OSError:
            pass
        candidate.close()

    def receive(self, _):
        lines = self.coordinator.receive()
        if lines is None:
            return self.detach()
        self.take(lines)

    def take(self, lines):
        self.heard = now()
        for line in lines:
            self.hear(line)

    def send(self, message):
        if self.coordinator:
            self.coordinator.fresh.append(to_line(message))

    def problem(self, text):
        """Tells people what has gone wrong here."""
        self.send({"ev": "problem", "message": prose(text)})

    def relay(self, lines):
        """Sends messages that are lines already."""
        if self.coordinator:
            self.coordinator.fresh.extend(lines)

    def flush(self, _=None):
        if self.coordinator is None:
            return
        try:
            left = self.coordinator.flush()
        except OSError:
            return self.detach()
        writer = self.coordinator.writer
        if left and writer not in self.selector.get_map():
            self.selector.register(writer, selectors.EVENT_WRITE, self.flush)
        elif not left and writer in self.selector.get_map():
            self.selector.unregister(writer)

    def detach(self):
        """The coordinator is away: go on, and keep what ends."""
        gone, self.coordinator = self.coordinator, None
        self.heard = now()
        try:
            gone.flush()
        except OSError:
            pass
        for fd in (gone.reader, gone.writer):
            if fd in self.selector.get_map():
                self.selector.unregister(fd)
        gone.close()


def passed(ancillary):
    """The descriptors that came along with a message."""
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    for fd in fds:
        os.set_inheritable(fd, False)  # a chunk that had the connection's pipes would keep it open when we are gone
    return fds
