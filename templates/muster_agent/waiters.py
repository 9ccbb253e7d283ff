"""Runs that wait for a GPU, seen from the run that holds it."""
from .inquiry import LEAST, priority_of
from .wire import raw

MOST = 64  # each costs a descriptor, and any user can connect to the abstract socket


class Waiters:
    """Their connections, with the priority of each."""

    def __init__(self, settings):
        self.settings = settings
        self.connections = []  # (priority, connection)

    def accept(self, listener):
        """Lets another run wait, and tells all that do how they stand."""
        try:
            waiter, address = listener.accept()
        except OSError:
            return
        self.highest()
        if len(self.connections) >= MOST:
            return waiter.close()
        waiter.setblocking(False)
        self.connections.append((priority_of(address), waiter))
        line = b"%d %s\n" % (self.highest(), raw(self.settings.run)[:200])
        for _, one in self.connections:
            try:
                one.send(line)
            except OSError:
                pass

    def highest(self):
        """The highest priority of those that still wait; LEAST where none does."""
        self.connections = [(priority, one) for priority, one in self.connections if still_waits(one)]
        return max((priority for priority, _ in self.connections), default=LEAST)

    def close(self):
        """Lets all of them try; answers with the highest priority among them."""
        highest = self.highest()
        for _, waiter in self.connections:
            waiter.close()
        self.connections = []
        return highest


def still_waits(waiter):
    """Closes the connection of one that does not."""
    try:
        if waiter.recv(1):
            return True
    except BlockingIOError:
        return True
    except OSError:
        pass
    waiter.close()
    return False
