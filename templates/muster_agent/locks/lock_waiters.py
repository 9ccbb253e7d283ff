"""The runs that wait for a lock, as seen by the run that holds it."""
from __future__ import annotations

from ..wire import to_bytes
from .lock_query import LOWEST_PRIORITY, is_prompt, priority_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from ..settings import Settings

MAX_WAITERS = 64  # each takes a descriptor, and any user can connect to the abstract socket
MAX_NAME_BYTES = 200


class LockWaiters:
    """Their connections, with the priority of each."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.connections: list[tuple[int, socket.socket]] = []
        self.slow: set[socket.socket] = set()  # those that do not try at once when the lock is free

    def accept(self, listener: socket.socket) -> None:
        """Accepts a waiting run, and sends all of them the holder and the highest priority among them."""
        try:
            waiter, address = listener.accept()
        except OSError:
            return
        self.highest_priority()
        if len(self.connections) >= MAX_WAITERS:
            return waiter.close()
        waiter.setblocking(False)
        self.connections.append((priority_of(address), waiter))
        if not is_prompt(address):
            self.slow.add(waiter)
        line = b"%d %s\n" % (self.highest_priority(), to_bytes(self.settings.run)[:MAX_NAME_BYTES])
        for _, connection in self.connections:
            try:
                connection.send(line)
            except OSError:
                pass

    def highest_priority(self) -> int:
        """The highest priority of those that still wait; LOWEST_PRIORITY where none does."""
        self.connections = [(priority, one) for priority, one in self.connections if is_waiting(one)]
        self.slow &= {one for _, one in self.connections}
        return max((priority for priority, _ in self.connections), default=LOWEST_PRIORITY)

    def has_any(self) -> bool:
        """Whether a run still waits."""
        self.highest_priority()
        return bool(self.connections)

    def are_prompt(self) -> bool:
        """Whether all of them try for the lock as soon as it is free."""
        return not self.slow

    def close(self) -> int:
        """Closes all connections, so that the runs try for the lock; returns the highest priority among them."""
        highest = self.highest_priority()
        for _, waiter in self.connections:
            waiter.close()
        self.connections = []
        self.slow.clear()
        return highest


def is_waiting(waiter: socket.socket) -> bool:
    """Whether the run at the other end still waits. Closes the connection where it does not."""
    try:
        if waiter.recv(1):
            return True
    except BlockingIOError:
        return True
    except OSError:
        pass
    waiter.close()
    return False
