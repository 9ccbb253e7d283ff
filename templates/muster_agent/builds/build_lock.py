"""The lock of one build, between all runs on this node."""
from __future__ import annotations

import fcntl
import os

from ..locks.lock_files import is_same_file

MAX_TRIES = 8  # the file may be removed and made again while we lock it


class BuildLock:
    """A file that is locked with flock, so that the kernel releases the lock however its holder ends."""

    def __init__(self, path: str):
        self.path = path
        self.fd: int | None = None

    def acquire(self) -> bool:
        """False where another process has the lock. OSError where the file cannot be made."""
        for _ in range(MAX_TRIES):
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return False
            except OSError:
                os.close(fd)
                raise
            if is_same_file(fd, self.path):
                self.fd = fd
                return True
            os.close(fd)
        return False

    def release(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def remove(self) -> None:
        """Removes the file of a lock that was acquired, and releases it."""
        os.unlink(self.path)
        self.release()
