"""A waiting run's connection to the run that holds the lock."""
from __future__ import annotations

import os
import selectors
import socket
from time import monotonic as now

from ..access.guard import peer_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

LOWEST_PRIORITY = -(1 << 31)  # below that of every run
PROMPT = "p"  # begins the last part of our socket's name: this agent tries for the lock as soon as the connection ends
MAX_ANSWER_BYTES = 4096
LEAVING = "leaving "  # begins a line of the holder: what it runs ends for a run that waits, after so many seconds at most
MAX_LEAVING_SECONDS = 86400.0  # a longer grace is not waited for
ANSWER_TIMEOUT_SECONDS = 3.0  # for the holder to say who it is
SILENT_HOLDER = "a program that does not answer"


class LockQuery:
    """`name`: the holder's run, or None while it has not answered. `owner`: its (uid, pid) as the kernel knows them, or None where
    it has not accepted the connection. `highest`: the highest priority of the runs that wait. `ending`: the seconds after which what
    a holder of the same user runs ends at the latest, so that the lock is free at `free_by`; None and 0 while it does not say. Do not
    trust `name` and `highest` where the owner is another user."""

    def __init__(
        self, selector: selectors.BaseSelector, address: bytes, private_path: str, ended: Callable[[], object]
    ):
        """Runs of the same user listen at both addresses; those of other users only at the abstract one. Calls `ended` when the
        holder closes the connection, which it does once the lock is free."""
        self.selector, self.address, self.private_path, self.ended = selector, address, private_path, ended
        self.is_registered = False
        self.connection: socket.socket | None = None
        self.name: str | None = None
        self.owner: tuple[int, int] | None = None
        self.highest = LOWEST_PRIORITY
        self.asked_at = self.free_by = 0.0
        self.ending: float | None = None

    def ask(self, priority: int, run: bytes) -> bool:
        """Connects to the holder; False where nobody listens. Our socket's name has the priority, so that the holder knows it at
        once; the name of our run follows."""
        if self.connect(self.private_path, priority, run):
            if self.owner is None or self.owner[0] == os.geteuid():
                return True
            self.close()
        return self.connect(self.address, priority, run)

    def connect(self, address: bytes | str, priority: int, run: bytes) -> bool:
        self.name, self.owner, self.asked_at = None, None, now()
        self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.connection.setblocking(False)
        try:
            self.connection.bind(self.address + "/{}/{}{}".format(priority, PROMPT, os.urandom(8).hex()).encode())
            self.connection.connect(address)
            self.owner = peer_of(self.connection)
            self.selector.register(self.connection, selectors.EVENT_READ, self.receive)
            self.is_registered = True
            self.connection.send(run + b"\n")
        except BlockingIOError:  # its queue is full, so there is no connection that could end
            self.name = SILENT_HOLDER
        except OSError:
            self.close()
            return False
        return True

    def receive(self, _: int) -> None:
        if not self.is_open():
            self.ended()

    def is_open(self) -> bool:
        """Reads what the holder has sent, and returns whether it still holds the lock. A later answer replaces earlier ones."""
        while self.connection:
            try:
                data = self.connection.recv(MAX_ANSWER_BYTES)
            except BlockingIOError:
                if self.name is None and now() >= self.asked_at + ANSWER_TIMEOUT_SECONDS:
                    self.name = SILENT_HOLDER
                return True
            except OSError:
                data = b""
            if not data:
                self.close()
            for line in data.decode("utf-8", "replace").split("\n")[:-1]:
                self.read(line)
        return False

    def read(self, line: str) -> None:
        first, _, rest = line.partition(" ")
        if line.startswith(LEAVING):
            self.note_leaving(rest)
        else:
            self.name, self.highest = rest, parse_number(first)

    def note_leaving(self, text: str) -> None:
        """Another user's word has no effect: we may keep other locks until then."""
        seconds = parse_number(text)
        if self.owner is None or self.owner[0] != os.geteuid() or seconds < 0:
            return
        self.ending = min(float(seconds), MAX_LEAVING_SECONDS)
        self.free_by = now() + self.ending

    def close(self) -> None:
        if self.connection:
            if self.is_registered:
                self.selector.unregister(self.connection)
            self.connection.close()
        self.is_registered = False
        self.connection = self.name = self.owner = self.ending = None
        self.free_by = 0.0


def parse_number(text: str) -> int:
    """LOWEST_PRIORITY where it is none: any program may send it."""
    try:
        return int(text)
    except ValueError:
        return LOWEST_PRIORITY


def priority_of(address: object) -> int:
    """The priority in the name of a waiting run's socket; 0 where the name has none."""
    try:
        return int(address.rsplit(b"/", 2)[1])  # type: ignore[attr-defined]
    except (ValueError, IndexError, AttributeError, TypeError):
        return 0


def is_prompt(address: object) -> bool:
    """Whether the name of a waiting run's socket says that it tries for the lock as soon as the connection ends."""
    return isinstance(address, bytes) and address.rpartition(b"/")[2].startswith(PROMPT.encode())
