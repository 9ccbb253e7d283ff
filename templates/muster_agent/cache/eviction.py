"""Removes contents that no run uses, least recently used first."""
from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable


class CachedContent:
    """`used_at`: when a run last linked to it or let go of it, which sets the ctime of a file."""

    __slots__ = ("name", "size_bytes", "used_at", "is_used")

    def __init__(self, name: str, status: os.stat_result):
        self.name, self.size_bytes, self.used_at = name, status.st_size, status.st_ctime
        self.is_used = status.st_nlink > 1


def list_contents(folder: str) -> list[CachedContent]:
    """All files of the cache, in no order."""
    contents = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # another run has just removed it
                continue
            if not stat.S_ISDIR(status.st_mode):
                contents.append(CachedContent(entry.name, status))
    return contents


class Eviction:
    """What was removed from the cache, and the size of what it holds now."""

    def __init__(self, kept_bytes: int):
        self.removed = self.removed_bytes = 0
        self.kept_bytes = kept_bytes

    def record(self, content: CachedContent) -> None:
        self.removed += 1
        self.removed_bytes += content.size_bytes
        self.kept_bytes -= content.size_bytes


def evict(folder: str, is_enough: Callable[[int], bool]) -> Eviction:
    """Removes contents until is_enough(bytes in the cache). Contents that a live run has links to stay: to remove them frees
    nothing."""
    contents = list_contents(folder)
    eviction = Eviction(sum(content.size_bytes for content in contents))
    for content in sorted(contents, key=lambda content: content.used_at):
        if is_enough(eviction.kept_bytes):
            break
        if content.is_used:
            continue
        try:
            os.unlink(os.path.join(folder, content.name))
        except FileNotFoundError:
            pass
        eviction.record(content)
    return eviction


def free_bytes(folder: str) -> int:
    """What this user can still write to the file system."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def default_budget_bytes(folder: str) -> int:
    """A tenth of the file system, and at most 20 GiB."""
    status = os.statvfs(folder)
    return min(status.f_blocks * status.f_frsize // 10, 20 << 30)
