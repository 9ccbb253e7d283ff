"""Removes what no run uses from the cache, least recently used first."""
from __future__ import annotations

import os

from .entries import list_entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from .entries import CacheEntry


class Eviction:
    """What was removed from the cache, and the size of what it holds now."""

    def __init__(self, kept_bytes: int):
        self.removed = self.removed_bytes = 0
        self.kept_bytes = kept_bytes

    def record(self, entry: CacheEntry) -> None:
        self.removed += 1
        self.removed_bytes += entry.size_bytes
        self.kept_bytes -= entry.size_bytes


def evict(cache: str, is_enough: Callable[[int], bool]) -> Eviction:
    """Removes entries until is_enough(bytes in the cache). What a live run holds stays: to remove it frees nothing."""
    entries = list_entries(cache)
    eviction = Eviction(sum(entry.size_bytes for entry in entries))
    for entry in sorted(entries, key=lambda entry: entry.used_at):
        if is_enough(eviction.kept_bytes):
            break
        try:
            if not entry.is_used and entry.remove():
                eviction.record(entry)
        except FileNotFoundError:
            eviction.record(entry)  # another run has just removed it
    return eviction


def free_bytes(folder: str) -> int:
    """What this user can still write to the file system."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def default_budget_bytes(folder: str) -> int:
    """A tenth of the file system, and at most 20 GiB."""
    status = os.statvfs(folder)
    return min(status.f_blocks * status.f_frsize // 10, 20 << 30)
