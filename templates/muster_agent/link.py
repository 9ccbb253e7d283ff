"""The line to whichever coordinator is attached."""
import array
import os
import selectors
import socket
from time import monotonic as now

from .coordinator import Coordinator
from .guard import may_attach
from .wire import to_line


class Link:
    """At most one coordinator at a time: a newer one replaces the older. While there is none, what is said is lost; results are
    not, since a coordinator that comes is told all that the ledger holds."""

    def __init__(self, selector):
        self.selector = selector
        self.coordinator = None
        self.heard = now()

    def listen(self, listener, greet, hear):
        """From now on coordinators may come: greet() is called for each, then hear(line) for what it says."""
        self.listener, self.greet, self.hear = listener, greet, hear
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
        if self.coordinator:
            self.send({"ev": "problem", "message": "another coordinator took over this run"})
            self.detach()
        self.coordinator = Coordinator(knocker, *fds)
        self.heard = now()
        self.selector.register(self.coordinator.reader, selectors.EVENT_READ, self.receive)
        self.greet()

    def receive(self, _):
        lines = self.coordinator.receive()
        if lines is None:
            return self.detach()
        self.heard = now()
        for line in lines:
            self.hear(line)

    def send(self, message):
        if self.coordinator:
            self.coordinator.fresh.append(to_line(message))

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
