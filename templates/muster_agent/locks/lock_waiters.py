"""The runs that wait for a lock, as seen by the run that holds it."""
from __future__ import annotations

import os
from math import ceil
from time import monotonic as now

from ..access.guard import peer_of
from ..wire import to_bytes
from .lock_query import LEAVING, LOWEST_PRIORITY, is_prompt, priority_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from ..settings import Settings

MAX_WAITERS = 64  # each takes a descriptor, and any user can connect to the abstract socket
MAX_NAME_BYTES = 200


class Waiter:
    """A run that waits. `is_own`: whether it belongs to the same user. `is_prompt`: whether it tries at once when the lock is free."""

    def __init__(self, connection: socket.socket, address: object):
        self.connection = connection
        self.priority, self.is_prompt = priority_of(address), is_prompt(address)
        self.is_own = peer_of(connection)[0] == os.geteuid()
        self.since = now()
        self.said = b""

    @property
    def name(self) -> str:
        """Of its run; empty while it has not said it. Agents from before runs were preempted never do."""
        line, end, _ = self.said.partition(b"\n")
        return line.decode("utf-8", "replace") if end else ""

    def is_waiting(self) -> bool:
        """Whether it still waits. Closes the connection where it does not."""
        try:
            data = self.connection.recv(MAX_NAME_BYTES + 1)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if data:
            self.said = (self.said + data)[: MAX_NAME_BYTES + 1]
            return True
        self.connection.close()
        return False

    def send(self, lines: bytes) -> None:
        try:
            self.connection.send(lines)
        except OSError:
            pass


class LockWaiters:
    """All of them."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.all: list[Waiter] = []
        self.free_by: float | None = None  # when what this run has the lock for ends at the latest, for a run that waits

    def accept(self, listener: socket.socket) -> None:
        """Accepts a waiting run, and sends all of them the holder and the highest priority among them."""
        try:
            connection, address = listener.accept()
        except OSError:
            return
        self.forget_gone()
        if len(self.all) >= MAX_WAITERS:
            return connection.close()
        connection.setblocking(False)
        self.all.append(Waiter(connection, address))
        self.announce()

    def announce(self) -> None:
        lines = b"%d %s\n" % (self.highest_priority(), to_bytes(self.settings.run)[:MAX_NAME_BYTES])
        if self.free_by is not None:
            # It comes first, and in the same piece, because older agents take the last line for the holder.
            lines = b"%s%d\n%s" % (LEAVING.encode(), max(0, ceil(self.free_by - now())), lines)
        for waiter in self.all:
            waiter.send(lines)

    def announce_end(self, seconds: float) -> None:
        """Tells all of them that what this run has the lock for ends, after so many seconds at most."""
        self.free_by = now() + seconds
        self.announce()

    def forget_gone(self) -> None:
        self.all = [waiter for waiter in self.all if waiter.is_waiting()]

    def highest_priority(self) -> int:
        """The highest priority of those that still wait; LOWEST_PRIORITY where none does."""
        waiter = self.find_highest()
        return LOWEST_PRIORITY if waiter is None else waiter.priority

    def find_highest(self) -> Waiter | None:
        """The one with the highest priority that still waits."""
        self.forget_gone()
        return max(self.all, key=lambda waiter: waiter.priority, default=None)

    def find_own_above(self, priority: int) -> Waiter | None:
        """The one with the highest priority, if that is above the given one. Only those of the same user count: any user can connect,
        and claim any priority."""
        self.forget_gone()
        above = [waiter for waiter in self.all if waiter.is_own and waiter.priority > priority]
        return max(above, key=lambda waiter: waiter.priority, default=None)

    def has_any(self) -> bool:
        """Whether a run still waits."""
        self.forget_gone()
        return bool(self.all)

    def are_prompt(self) -> bool:
        """Whether all of them try for the lock as soon as it is free."""
        return all(waiter.is_prompt for waiter in self.all)

    def close(self) -> int:
        """Closes all connections, so that the runs try for the lock; returns the highest priority among them."""
        highest = self.highest_priority()
        for waiter in self.all:
            waiter.connection.close()
        self.all, self.free_by = [], None
        return highest
