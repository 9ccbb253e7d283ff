"""A stored content that working copies link to."""
from __future__ import annotations

import os


class SharedContent:
    """Its open descriptor shows whether somebody wrote to the content, even if its names are gone. `mode`: of the file, so of all
    its links. The file is stamped, so its time is older than any change."""

    def __init__(self, path: str):
        self.file = open(path, "rb", buffering=0)
        self.mode = os.fstat(self.file.fileno()).st_mode & 0o777
        self.stamp = self.read_stamp()

    def read_stamp(self) -> tuple[int, int]:
        status = os.fstat(self.file.fileno())
        return status.st_size, status.st_mtime_ns

    def is_changed(self) -> bool:
        return self.read_stamp() != self.stamp
