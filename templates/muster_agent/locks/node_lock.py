"""A lock of the node that one run at a time holds."""
from __future__ import annotations

import os
import selectors
import socket
from time import monotonic as now

from ..processes.strays import command_line
from ..wire import to_bytes
from .lock_files import SystemLock, UserLock, lock_owner
from .lock_query import ANSWER_TIMEOUT_SECONDS, SILENT_HOLDER, LockQuery
from .lock_waiters import MAX_NAME_BYTES, LockWaiters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List

    from ..settings import Settings
    from .lock_files import LockFile
    from .lock_name import LockName
    from .lock_waiters import Waiter

RETRY_SECONDS = 0.5  # between tries, unless the holder says that it is free
MIN_RETRY_SECONDS = 0.05  # between tries, whatever the holder does
TURN_SECONDS = 5.0  # how long a lock is kept at least while another run of the same priority waits for it
HANDOVER_SECONDS = 0.25  # how long it is then left to the other run, which tries at once,
RETRY_HANDOVER_SECONDS = 1.0  # or, if its agent is older, at its next retry
HANDOVER_CHECK_SECONDS = 0.05  # between two looks whether the other run has taken it
PRECEDENCE_SECONDS = 3.0  # how long a free lock is left to a waiting run of higher priority: that run may have ended


class NodeLock:
    """This run has the lock once it has every part of it: the user's lock file, root's lock file where there is one, and the name
    of an abstract socket. All of them end with their process. The name serves users between whom there is no lock file of root,
    and agents from before there were lock files. The files also work between network namespaces, where the name does not.

    A waiting run stays connected to the holder, which reports who holds the lock and the highest priority that waits; both
    arrive before the lock is free. The connection ends when it is."""

    def __init__(
        self, selector: selectors.BaseSelector, settings: Settings, name: LockName, report: Callable[[str], object]
    ):
        self.selector, self.settings = selector, settings
        self.user_lock = UserLock(name, report)
        self.files: List[LockFile] = [self.user_lock, SystemLock(name, report)]
        self.address = name.address
        self.listeners: list[socket.socket] | None = None  # for waiting runs, while this run has the lock
        self.acquired_at = self.retry_at = 0.0
        self.left_until = 0.0  # it is left to another run until then, unless that run has had it
        self.last_foreign_use = 0.0  # when another run may have had it last
        self.waiters = LockWaiters(settings)
        self.query = LockQuery(selector, self.address, self.user_lock.socket_path, self.holder_left)
        self.own_agents: dict[int, bool] = {}  # whether a process that had the lock is an agent of this run, by pid
        self.locked_file: tuple[str, float] | None = None  # the lock file that another process has, and since when

    @property
    def is_held(self) -> bool:
        """Whether this run has the lock."""
        return bool(self.listeners)

    def acquire(self) -> bool:
        """Whether this run has the lock now. Where it has not, it waits for the holder, and `retry_at` is when to try again."""
        if self.listeners:
            return True
        time_now = now()
        if time_now < self.retry_at:
            return False
        if not self.take(time_now):
            self.wait(time_now)
        return self.is_held

    def take(self, time_now: float) -> bool:
        """Takes the lock if nobody has it and it is this run's turn."""
        if self.query.is_open() or time_now < self.left_until or not self.is_our_turn(time_now):
            return False
        self.listeners = self.take_parts(time_now)
        if self.listeners is None:
            return False
        self.acquired_at, self.locked_file = time_now, None
        self.query.close()
        for listener in self.listeners:
            self.selector.register(listener, selectors.EVENT_READ, lambda _, listener=listener: self.waiters.accept(listener))
        return True

    def is_free(self, time_now: float) -> bool:
        """Whether nobody has the lock. Does not wait for it."""
        self.retry_at = time_now + RETRY_SECONDS
        if not self.take(time_now):
            return False
        self.release()
        return True

    def is_our_turn(self, time_now: float) -> bool:
        """Whether no run of higher priority waits, as far as the last holder said."""
        return self.query.highest <= self.settings.priority or time_now >= self.last_foreign_use + PRECEDENCE_SECONDS

    def take_parts(self, time_now: float) -> list[socket.socket] | None:
        """Sockets that listen for waiting runs, once every part is taken; None, and no part, while another process has one."""
        for file in self.files:
            if not file.acquire():
                self.locked_file = (file.path, self.locked_file[1] if self.locked_file else time_now)
                return self.release_files()
        public = listen(self.address)
        if public is None:
            return self.release_files()
        return [public] + self.listen_privately()

    def listen_privately(self) -> list[socket.socket]:
        """For runs of the same user, also in another network namespace. Only who has the user's lock may use this path."""
        if self.user_lock.fd is None:
            return []
        unlink(self.user_lock.socket_path)
        private = listen(self.user_lock.socket_path)
        return [private] if private else []

    def release_files(self) -> None:
        for file in self.files:
            file.release()

    def wait(self, time_now: float) -> None:
        """Connects to the holder, if there is one."""
        is_left = time_now < self.left_until
        self.retry_at = time_now + (HANDOVER_CHECK_SECONDS if is_left else RETRY_SECONDS)
        run = to_bytes(self.settings.run)[:MAX_NAME_BYTES]
        if self.query.is_open() or self.query.ask(self.settings.priority, run):
            self.last_foreign_use, self.locked_file, self.left_until = time_now, None, 0.0

    def holder_left(self) -> None:
        """The holder has released the lock, or ended."""
        self.last_foreign_use = now()
        self.retry_at = min(self.retry_at, max(now(), self.query.asked_at + MIN_RETRY_SECONDS))

    def holder(self) -> Dict[str, Any] | None:
        """Who has the lock, as keys of the message `slot`; None where that is not known yet."""
        name, owner = self.query.name, self.query.owner
        if name is not None and name != SILENT_HOLDER and owner is not None and owner[0] == os.geteuid():
            return {"holder": name} if self.query.ending is None else {"holder": name, "ending": self.query.ending}
        if name is not None:
            return {"holder": format_owner(owner, name if name == SILENT_HOLDER else "run " + name), "foreign": True}
        if self.locked_file and now() >= self.locked_file[1] + ANSWER_TIMEOUT_SECONDS:
            path = self.locked_file[0]
            return {"holder": format_owner(lock_owner(path), "it has locked " + path), "foreign": True}
        return None

    def next_holder(self) -> Dict[str, Any] | None:
        """The run that is to have the lock next, as keys of the message `slot`; None while it has not said its name."""
        waiter = self.waiters.find_highest()
        if waiter is None or waiter.name == "":
            return None
        return {"holder": waiter.name} if waiter.is_own else {"holder": "run " + waiter.name, "foreign": True}

    def ask(self, time_now: float) -> None:
        """Makes it known to the holder that this run wants it, and does not take it."""
        if time_now >= self.retry_at:
            self.wait(time_now)

    def is_of_own_run(self) -> bool:
        """Whether another agent of this run has the lock: two nodes of its inventory are one machine."""
        owner = self.query.owner
        if owner is None or owner[1] == 0:
            return False
        if owner[1] not in self.own_agents:
            other = run_id(os.fsdecode(command_line(owner[1])[-1]))
            self.own_agents[owner[1]] = other != "" and other == run_id(self.settings.root)
        return self.own_agents[owner[1]]

    def is_wanted(self) -> bool:
        """Whether another run waits for it."""
        return bool(self.waiters.all) and self.waiters.has_any()

    def is_due_to_others(self) -> bool:
        """Whether to release it before the next chunk: at once where a run of higher priority waits, in turn where one of the
        same priority does."""
        if not self.waiters.all:
            return False
        highest, own = self.waiters.highest_priority(), self.settings.priority
        return highest > own or (highest == own and now() - self.acquired_at >= TURN_SECONDS)

    def is_wanted_by_higher(self) -> bool:
        """Whether a run of higher priority waits for it."""
        return bool(self.waiters.all) and self.waiters.highest_priority() > self.settings.priority

    def preemptor(self) -> Waiter | None:
        """The run of this user with the highest priority that waits for it, if that is above our own."""
        return self.waiters.find_own_above(self.settings.priority) if self.waiters.all else None

    def forget_end(self) -> None:
        """What this run had it for has ended; the lock may still be held."""
        self.waiters.free_by = None

    def hand_over(self) -> None:
        """Releases it, and leaves it to another run for a while."""
        seconds = HANDOVER_SECONDS if self.waiters.are_prompt() else RETRY_HANDOVER_SECONDS
        self.release()
        self.left_until = self.last_foreign_use + seconds
        self.retry_at = self.last_foreign_use + HANDOVER_CHECK_SECONDS

    def release(self) -> None:
        """Releases it, or no longer waits for it."""
        self.query.close()
        if self.listeners:
            for listener in self.listeners:
                self.selector.unregister(listener)
                listener.close()
            self.listeners = None
            if self.user_lock.fd is not None:
                unlink(self.user_lock.socket_path)
            self.release_files()
            self.query.highest = self.waiters.close()
            self.retry_at = self.last_foreign_use = now()


def listen(address: bytes | str) -> socket.socket | None:
    """A socket that listens at the address; None where another does, or it is not possible."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(address)
    except OSError:
        listener.close()
        return None
    listener.listen(16)
    listener.setblocking(False)
    return listener


def run_id(root: str) -> str:
    """Of the run whose folder this is, which is called RUN@NODE; empty where it is called otherwise."""
    return os.path.basename(root).rpartition("@")[0]


def unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def format_owner(owner: tuple[int, int] | None, what: str) -> str:
    """`owner`: (uid, pid), as far as the kernel says; the pid may be 0."""
    if owner is None:
        return what
    uid, pid = owner
    return "uid {}{} ({})".format(uid, ", pid {}".format(pid) if pid else "", what)
