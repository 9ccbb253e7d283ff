"""The files of programs that nobody has staged. Their hashes are reported to the coordinator."""
from __future__ import annotations

import os
import stat

from ..workspace.content_store import hash_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Tuple

    Stamp = Tuple[int, int, int]


class ProgramFiles:
    """Hashes a file when it is first looked at, and again when it has changed."""

    def __init__(self) -> None:
        self.hashes: Dict[bytes, Tuple[Stamp, str]] = {}

    def find(self, directory: bytes, candidates: list[bytes]) -> tuple[bytes, str] | None:
        """The first of the candidates that is a file, and its SHA-256. None where there is none, or it cannot be read."""
        for name in candidates:
            try:
                fd = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                if stat.S_ISREG(os.fstat(fd).st_mode):
                    return name, self.hash(os.path.join(directory, name), fd)
            except OSError:
                return None
            finally:
                os.close(fd)
        return None

    def hash(self, path: bytes, fd: int) -> str:
        status = os.fstat(fd)
        stamp = status.st_ino, status.st_size, status.st_mtime_ns
        known = self.hashes.get(path)
        if known is None or known[0] != stamp:
            known = self.hashes[path] = stamp, hash_file(fd)[1]
        return known[1]
