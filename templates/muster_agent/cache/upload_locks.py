"""Which run on this node is receiving a content, so that two runs do not send the same one."""
from __future__ import annotations

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .content_cache import ContentCache

FILE_NAME = "uploads.lock"
OFFSET_DIGITS = 15  # of the SHA-256, in hex: the byte of the lock file that stands for a content


class UploadLocks:
    """Locks of byte ranges in one file (POSIX record locks): as many as there are contents, with one descriptor. The kernel releases
    them when the agent ends. Where the cache is not used, every run gets every lock."""

    def __init__(self, cache: ContentCache):
        self.cache = cache
        self.held: set[str] = set()
        self.fd: int | None = None  # closing any descriptor of the file would release all locks

    def acquire(self, sha256: str) -> bool:
        """False where another run is receiving the content."""
        if sha256 in self.held:
            return True
        if self._lock(sha256, fcntl.LOCK_EX | fcntl.LOCK_NB):
            self.held.add(sha256)
            return True
        return False

    def release(self, sha256: str) -> None:
        if sha256 in self.held:
            self.held.discard(sha256)
            self._lock(sha256, fcntl.LOCK_UN)

    def release_all(self) -> None:
        for sha256 in list(self.held):
            self.release(sha256)

    def _lock(self, sha256: str, operation: int) -> bool:
        try:
            if self.fd is None:
                if not self.cache.check(make=True):
                    return True
                path = os.path.join(self.cache.workdir_folder, FILE_NAME)
                self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.lockf(self.fd, operation, 1, int(sha256[:OFFSET_DIGITS], 16))
        except BlockingIOError:
            return False
        except OSError:
            return True  # without locks, two runs may send the same content, which is only slower
        return True
