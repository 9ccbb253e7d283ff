"""Whether the run's folder is still the one that this agent was started in."""
import errno
import os
from time import monotonic as now

OFTEN_SECONDS = 1.0  # between two checks of an agent whose loop wakes anyway,
SELDOM_SECONDS = 10.0  # and between two for which it wakes itself
DELETED, REPLACED = "it was deleted or moved", "another folder is in its place"
GONE = (errno.ENOENT, errno.ENOTDIR)


class RootWatch:
    """Compares the folder at the path with the open descriptor `fd` of the agent's own folder. `lost`: what has become of the
    path, DELETED or REPLACED, or None while it leads to that folder."""

    def __init__(self, root, fd):
        self.root = root
        self.own = identity(os.fstat(fd))
        self.checked_at = now()
        self.lost = None

    def due(self):
        """When the loop must wake for a check."""
        return self.checked_at + SELDOM_SECONDS

    def hurry(self):
        """Something failed that fails in a folder that was deleted: the next check does not wait."""
        self.checked_at = now() - SELDOM_SECONDS

    def watch(self):
        """`lost`, checked again unless that has just been done."""
        return self.check() if now() >= self.checked_at + OFTEN_SECONDS else self.lost

    def check(self):
        """`lost`, as of now. A folder that cannot be looked at is not gone: an error other than that counts as no change."""
        self.checked_at = now()
        if self.lost is None:
            try:
                if identity(os.stat(self.root)) != self.own:
                    self.lost = REPLACED
            except OSError as error:
                if error.errno in GONE:
                    self.lost = DELETED
        return self.lost


def identity(status):
    return status.st_dev, status.st_ino
