"""Accepts coordinators, and talks to the one that is attached."""
from __future__ import annotations

import array
import json
import os
import selectors
import socket
from time import monotonic as now

from ..access.guard import may_attach
from ..wire import clip, encode_line
from .channel import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable

    from ..wire import Message

MAX_CANDIDATES = 8  # connections that have not yet said who they are
HANDOVER_SECONDS = 5.0  # for `attach` to pass its descriptors


class Server:
    """At most one coordinator is attached at a time: a newer one replaces the older, if it owns the run's folder. While none is
    attached, messages are dropped. Results are not lost with them: the outbox sends all it holds to the next coordinator."""

    def __init__(self, selector: selectors.BaseSelector):
        self.selector = selector
        self.attached: Channel | None = None
        self.candidates: list[Channel] = []
        self.last_received = now()

    def listen(
        self,
        listener: socket.socket,
        refusal: Callable[[Any], Message | None],
        greet: Callable[[], object],
        handle: Callable[[bytes], object],
    ) -> None:
        """Accepts coordinators from now on. refusal(message) returns the answer to the first line of a coordinator that may not
        attach, or None; greet() is called for each that attaches, then handle(line) for each line of it."""
        self.listener, self.refusal, self.greet, self.handle = listener, refusal, greet, handle
        self.selector.register(listener, selectors.EVENT_READ, self.accept)

    def expiry(self, lease_seconds: float) -> float:
        """When the lease ends. Only lines that arrive renew it: a connection that hangs may look attached forever."""
        return self.last_received + lease_seconds

    def accept(self, _: int) -> None:
        try:
            peer, _address = self.listener.accept()
            if not may_attach(peer):
                return peer.close()
            peer.settimeout(HANDOVER_SECONDS)
            _data, ancillary, _flags, _address = peer.recvmsg(16, socket.CMSG_SPACE(8))
        except OSError:
            return
        fds = received_fds(ancillary)
        if len(fds) != 2:
            for fd in fds:
                os.close(fd)
            return peer.close()
        candidate = Channel(peer, *fds)
        self.candidates.append(candidate)
        self.selector.register(candidate.reader, selectors.EVENT_READ, lambda _: self.admit(candidate))
        if len(self.candidates) > MAX_CANDIDATES:
            self.dismiss(self.candidates[0])

    def admit(self, candidate: Channel) -> None:
        """Reads the first line, which says who it is: the candidate replaces the attached coordinator, or is refused."""
        lines = candidate.receive()
        if lines == []:
            return
        refusal = self.refusal_of(lines[0]) if lines else {}
        if lines is None or refusal is not None:
            if refusal:
                candidate.queued.append(encode_line(refusal))
            return self.dismiss(candidate)
        self.candidates.remove(candidate)
        self.selector.unregister(candidate.reader)
        if self.attached:
            self.report_problem("another coordinator took over this run")
            self.detach()
        self.attached = candidate
        self.selector.register(candidate.reader, selectors.EVENT_READ, self.receive)
        self.greet()
        self.handle_lines(lines)

    def refusal_of(self, line: bytes) -> Message | None:
        """The answer to a first line: None where the coordinator may attach, {} (send nothing) where the line is malformed."""
        try:
            return self.refusal(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def dismiss(self, candidate: Channel) -> None:
        """Closes the connection of a candidate, after what was queued for it."""
        self.candidates.remove(candidate)
        self.selector.unregister(candidate.reader)
        try:
            candidate.flush()
        except OSError:
            pass
        candidate.close()

    def receive(self, _: int) -> None:
        assert self.attached is not None
        lines = self.attached.receive()
        if lines is None:
            return self.detach()
        self.handle_lines(lines)

    def handle_lines(self, lines: list[bytes]) -> None:
        self.last_received = now()
        for line in lines:
            self.handle(line)

    def send(self, message: Message) -> None:
        if self.attached:
            self.attached.queued.append(encode_line(message))

    def report_problem(self, text: str) -> None:
        """Sends a message that the coordinator shows to its user."""
        self.send({"ev": "problem", "message": clip(text)})

    def send_lines(self, lines: Iterable[bytes]) -> None:
        """Sends messages that are encoded already."""
        if self.attached:
            self.attached.queued.extend(lines)

    def flush(self, _: int | None = None) -> None:
        if self.attached is None:
            return
        try:
            is_left = self.attached.flush()
        except OSError:
            return self.detach()
        writer = self.attached.writer
        if is_left and writer not in self.selector.get_map():
            self.selector.register(writer, selectors.EVENT_WRITE, self.flush)
        elif not is_left and writer in self.selector.get_map():
            self.selector.unregister(writer)

    def detach(self) -> None:
        """The coordinator is gone. The agent continues, and keeps results for the next one."""
        channel, self.attached = self.attached, None
        assert channel is not None
        self.last_received = now()
        try:
            channel.flush()
        except OSError:
            pass
        for fd in (channel.reader, channel.writer):
            if fd in self.selector.get_map():
                self.selector.unregister(fd)
        channel.close()


def received_fds(ancillary: list[Any]) -> array.array[int]:
    """The descriptors that came with a message."""
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    for fd in fds:
        os.set_inheritable(fd, False)  # a chunk that inherited the connection's pipes would keep it open
    return fds
