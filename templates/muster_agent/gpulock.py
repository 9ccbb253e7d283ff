"""A GPU of the node, held for one run at a time."""
import os
import selectors
import socket
from time import monotonic as now

from .inquiry import PATIENCE, SILENT, Inquiry
from .lockfile import SystemLock, UserLock, lock_owner
from .waiters import Waiters

RETRY = 0.5  # seconds between tries
TURN = 5.0  # how long a GPU is kept at least while another run of the same priority waits for it
PAUSE = 1.0  # how long it is then left alone, so that the other run's retry finds it free
PRECEDENCE = 3.0  # how long a GPU that is free is left to a run that goes first: it may have gone


class GpuLock:
    """A GPU is ours once every lock of it is: the user's lock file, root's where there is one, and an abstract socket's name. All
    go with their process. The name is what muster took before there were lock files, and an agent of that time may still run; it
    serves users among whom root has made no folder, too. The files also work between network namespaces, where the name does not.

    Who waits stays connected to the holder, and is told who holds the GPU and the highest priority that waits; what is told is
    there before the GPU is free."""

    def __init__(self, selector, settings, boot, name, report):
        self.selector, self.settings = selector, settings
        self.user_lock = UserLock(name, report)
        self.files = [self.user_lock, SystemLock(name, report)]
        self.address = "\0muster/{}/gpu/{}".format(boot, name).encode()
        self.held = None  # the sockets at which waiters knock
        self.since = self.retry = 0.0
        self.away = 0.0  # when another run may have had it last
        self.waiters = Waiters(settings)
        self.inquiry = Inquiry(self.address, self.user_lock.socket_path)
        self.obstacle = None  # the lock file that another process has, and since when
        self.blocked = False

    def acquire(self):
        """True when it is ours now. Otherwise `retry` says when to try again."""
        if self.held:
            return True
        time_now = now()
        if time_now < self.retry:
            return False
        if not self.inquiry.is_open() and (self.inquiry.highest <= self.settings.priority or time_now >= self.away + PRECEDENCE):
            self.held = self.take(time_now)
        if self.held is None:
            self.wait(time_now)
            return False
        self.since, self.obstacle = time_now, None
        self.inquiry.close()
        for listener in self.held:
            self.selector.register(listener, selectors.EVENT_READ, lambda _, listener=listener: self.waiters.accept(listener))
        return True

    def take(self, time_now):
        """The sockets at which waiters knock, once every lock is ours; None, and no lock, while another process has one."""
        for file in self.files:
            if not file.acquire():
                self.obstacle = (file.path, self.obstacle[1] if self.obstacle else time_now)
                return self.let_go()
        name = listen(self.address)
        if name is None:
            return self.let_go()
        return [name] + self.listen_privately()

    def listen_privately(self):
        """For one's own runs, also those in another network namespace. Nobody else has the lock of this name."""
        if self.user_lock.fd is None:
            return []
        remove(self.user_lock.socket_path)
        private = listen(self.user_lock.socket_path)
        return [private] if private else []

    def let_go(self):
        for file in self.files:
            file.release()

    def wait(self, time_now):
        """Stands in line for it, if somebody has it."""
        self.retry = time_now + RETRY
        if self.inquiry.is_open() or self.inquiry.ask(self.settings.priority):
            self.away, self.obstacle = time_now, None

    def holder(self):
        """Who holds it, as keys of a `slot` message (executor/run/agent/protocol.ts); None where it is not known yet."""
        name, owner = self.inquiry.name, self.inquiry.owner
        if name is not None and name != SILENT and owner[0] == os.geteuid():
            return {"holder": name}
        if name is not None:
            return {"holder": owner_text(owner, name if name == SILENT else "run " + name), "foreign": True}
        if self.obstacle and now() >= self.obstacle[1] + PATIENCE:
            path = self.obstacle[0]
            return {"holder": owner_text(lock_owner(path), "it has locked " + path), "foreign": True}
        return None

    def turn_over(self):
        """Whether it should be given away before the next chunk: at once to a run that goes first, in turn to its like."""
        if not self.waiters.connections:
            return False
        highest, own = self.waiters.highest(), self.settings.priority
        return highest > own or (highest == own and now() - self.since >= TURN)

    def release(self, pause=0.0):
        self.inquiry.close()
        if self.held:
            for listener in self.held:
                self.selector.unregister(listener)
                listener.close()
            self.held = None
            if self.user_lock.fd is not None:
                remove(self.user_lock.socket_path)
            self.let_go()
            self.inquiry.highest = self.waiters.close()
            self.away = now()
            self.retry = self.away + pause


def listen(address):
    """A socket that listens there; None where another does, or it cannot."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(address)
    except OSError:
        listener.close()
        return None
    listener.listen(16)
    listener.setblocking(False)
    return listener


def remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass


def owner_text(owner, what):
    """`owner`: uid and pid, as far as the kernel tells them."""
    if owner is None:
        return what
    uid, pid = owner
    return "uid {}{} ({})".format(uid, ", pid {}".format(pid) if pid else "", what)
