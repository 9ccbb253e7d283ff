"""Whether the run's folder is still the one in which this agent was started."""
from __future__ import annotations

import errno
import os
from time import monotonic as now

CHECK_SECONDS = 1.0  # between two checks while the event loop wakes anyway,
IDLE_CHECK_SECONDS = 10.0  # and between two for which it wakes
DELETED, REPLACED = "it was deleted or moved", "another folder is in its place"
NOT_FOUND = (errno.ENOENT, errno.ENOTDIR)


class RootWatch:
    """Compares the folder at the path with the open descriptor `fd` of the agent's own folder. `lost`: DELETED, REPLACED, or None
    while the path leads to that folder."""

    def __init__(self, root: str, fd: int):
        self.root = root
        self.own = identity(os.fstat(fd))
        self.checked_at = now()
        self.lost: str | None = None

    def due(self) -> float:
        """When the event loop must wake for a check."""
        return self.checked_at + IDLE_CHECK_SECONDS

    def expedite(self) -> None:
        """Makes the next check due now: something failed that fails in a deleted folder."""
        self.checked_at = now() - IDLE_CHECK_SECONDS

    def poll(self) -> str | None:
        """`lost`, checked again unless the last check is recent."""
        return self.check() if now() >= self.checked_at + CHECK_SECONDS else self.lost

    def check(self) -> str | None:
        """`lost`, checked now. An error other than "not found" does not mean that the folder is gone."""
        self.checked_at = now()
        if self.lost is None:
            try:
                if identity(os.stat(self.root)) != self.own:
                    self.lost = REPLACED
            except OSError as error:
                if error.errno in NOT_FOUND:
                    self.lost = DELETED
        return self.lost


def identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
