"""Locks of the node on the files that attempts write, across the runs of a user."""
from __future__ import annotations

import hashlib
import os

from ..locks.lock_files import UserLock
from ..locks.lock_name import LockName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable

MAX_NOTE_BYTES = 1 << 13


class PathLocks:
    """All locks of one attempt: it holds all or none of them, so that no two attempts wait for each other. `report` gets the reason
    where there can be no locks. Each lock file names the attempt's folder. A file that is there already is of an attempt whose agent
    was killed, and whose program has ended, because it inherits the locks: `earlier` are the folders of such attempts."""

    def __init__(self, paths: Iterable[bytes], report: Callable[[str], object]):
        self.locks = sorted(((UserLock(lock_name(path), report), path) for path in set(paths)), key=lambda lock: lock[0].path)
        self.earlier: set[bytes] = set()

    @property
    def fds(self) -> list[int]:
        return [lock.fd for lock, _ in self.locks if lock.fd is not None]

    def acquire(self) -> bytes | None:
        """The path that another attempt has locked; None once all are locked."""
        for lock, path in self.locks:
            if not lock.acquire():
                self.release()
                return path
        self.earlier = {note for note in (os.pread(fd, MAX_NOTE_BYTES, 0) for fd in self.fds) if note}
        return None

    def note(self, folder: str) -> None:
        """Writes into the lock files that this folder may have files of the user. OSError where that is not possible."""
        content = os.fsencode(folder)
        for fd in self.fds:
            os.ftruncate(fd, 0)
            os.pwrite(fd, content, 0)
            os.fsync(fd)

    def set_inheritable(self, is_inheritable: bool) -> None:
        """Whether a program that is started now keeps the locks until it ends, even if the agent is killed."""
        for fd in self.fds:
            os.set_inheritable(fd, is_inheritable)

    def release(self) -> None:
        """The files are removed; the folder too, where nobody else has a lock in it."""
        for lock, _ in self.locks:
            lock.release()


def lock_name(path: bytes) -> LockName:
    name = "path-" + hashlib.sha256(path).hexdigest()[:40]
    return LockName(name, name, "outputs", "")
