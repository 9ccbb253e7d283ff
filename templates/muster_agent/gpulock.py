"""A GPU of the node, held for one run at a time."""
import selectors
import socket
from time import monotonic as now

from .inquiry import LEAST, Inquiry, priority_of
from .wire import raw

RETRY = 0.5  # seconds between tries
TURN = 5.0  # how long a GPU is kept at least while another run of the same priority waits for it
PAUSE = 1.0  # how long it is then left alone, so that the other run's retry finds it free
PRECEDENCE = 3.0  # how long a GPU that is free is left to a run that goes first: it may have gone


class GpuLock:
    """A kernel object that goes with its process: an abstract socket's name. Who waits for it stays connected, and is told who
    holds it and the highest priority that waits; what is told is there before the GPU is free."""

    def __init__(self, selector, settings, boot, name):
        self.selector, self.settings = selector, settings
        self.address = "\0muster/{}/gpu/{}".format(boot, name).encode()
        self.held = None
        self.since = self.retry = 0.0
        self.away = 0.0  # when another run may have had it last
        self.waiters = []  # (priority, connection)
        self.inquiry = Inquiry(self.address)
        self.blocked = False

    def acquire(self):
        """True when it is ours now. Otherwise `retry` says when to try again."""
        if self.held:
            return True
        time_now = now()
        if time_now < self.retry:
            return False
        if not self.inquiry.is_open() and (self.inquiry.highest <= self.settings.priority or time_now >= self.away + PRECEDENCE):
            self.held = self.bind()
        if self.held is None:
            self.wait(time_now)
            return False
        self.since = time_now
        self.inquiry.close()
        self.selector.register(self.held, selectors.EVENT_READ, self.answer)
        return True

    def bind(self):
        held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            held.bind(self.address)
        except OSError:
            held.close()
            return None
        held.listen(16)
        held.setblocking(False)
        return held

    def wait(self, time_now):
        """Stands in line for it, if somebody has it."""
        self.retry = time_now + RETRY
        if self.inquiry.is_open() or self.inquiry.ask(self.settings.priority):
            self.away = time_now

    def holder(self):
        """Who holds it, as far as the answer tells; None where there has been no time for one."""
        return self.inquiry.name

    def answer(self, _):
        """Lets another run wait, and tells all that do how they stand."""
        try:
            waiter, address = self.held.accept()
        except OSError:
            return
        waiter.setblocking(False)
        self.waiters.append((priority_of(address), waiter))
        line = b"%d %s\n" % (self.highest(), raw(self.settings.run)[:200])
        for _, one in self.waiters:
            try:
                one.send(line)
            except OSError:
                pass

    def highest(self):
        """The highest priority of those that wait."""
        self.waiters = [(priority, one) for priority, one in self.waiters if still_waits(one)]
        return max((priority for priority, _ in self.waiters), default=LEAST)

    def turn_over(self):
        """Whether it should be given away before the next chunk: at once to a run that goes first, in turn to its like."""
        if not self.waiters:
            return False
        highest, own = self.highest(), self.settings.priority
        return highest > own or (highest == own and now() - self.since >= TURN)

    def release(self, pause=0.0):
        self.inquiry.close()
        if self.held:
            self.selector.unregister(self.held)
            self.held.close()
            self.held = None
            self.inquiry.highest = self.highest()
            for _, waiter in self.waiters:
                waiter.close()
            self.waiters = []
            self.away = now()
            self.retry = self.away + pause


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
