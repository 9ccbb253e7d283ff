"""A stored content that working copies link to."""
from __future__ import annotations

import os

SECOND_NS = 1_000_000_000


class SharedContent:
    """Its open descriptor shows whether somebody wrote to the content, even if its names are gone. `mode`: of the file, so of all
    its links."""

    def __init__(self, path: str, mode: int):
        self.mode = mode
        os.chmod(path, mode)
        self.file = open(path, "rb", buffering=0)
        # Older than any change that an attempt makes, however coarse the clock of the file system is.
        mtime_ns = os.fstat(self.file.fileno()).st_mtime_ns - SECOND_NS
        os.utime(path, ns=(mtime_ns, mtime_ns))
        self.stamp = self.read_stamp()

    def read_stamp(self) -> tuple[int, int]:
        status = os.fstat(self.file.fileno())
        return status.st_size, status.st_mtime_ns

    def is_changed(self) -> bool:
        return self.read_stamp() != self.stamp
