"""What the cache of a node holds: contents, and results of builds."""
from __future__ import annotations

import os
import stat

from ..builds.build_lock import BuildLock
from ..workspace.tree_removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

CONTENTS, BUILDS = "contents", "builds"


class CacheEntry:
    """`used_at`: when a run used it last, in Unix time. `is_used`: whether a live run holds it, so that its removal frees nothing."""

    def __init__(self, kind: str, path: str, size_bytes: int, used_at: float, is_used: bool):
        self.kind, self.path, self.size_bytes, self.used_at, self.is_used = kind, path, size_bytes, used_at, is_used

    def remove(self) -> bool:
        """False where somebody uses it now. OSError where it cannot be removed."""
        if self.kind == CONTENTS:
            os.unlink(self.path)
            return True
        lock = BuildLock(self.path + ".lock")
        if not lock.acquire():
            return False
        remove_tree(self.path)
        lock.remove()
        return True


def list_entries(cache: str) -> list[CacheEntry]:
    """All that lies in the folder `cache`, in no order."""
    contents = [content_entry(entry.path, status) for entry, status in list_folder(os.path.join(cache, CONTENTS))]
    builds = [
        build_entry(entry.path, status)
        for entry, status in list_folder(os.path.join(cache, BUILDS))
        if stat.S_ISDIR(status.st_mode) and "." not in entry.name
    ]
    return contents + builds


def content_entry(path: str, status: os.stat_result) -> CacheEntry:
    """Runs hold links. To make or remove one sets the ctime."""
    return CacheEntry(CONTENTS, path, status.st_size, status.st_ctime, status.st_nlink > 1)


def build_entry(path: str, status: os.stat_result) -> CacheEntry:
    """Runs have copies. Each use sets the time of the folder."""
    size_bytes = sum(inner.st_size for _, inner in list_folder(path))
    return CacheEntry(BUILDS, path, size_bytes, status.st_mtime, False)


def list_folder(folder: str) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    """Entries of a folder with their status; none where there is no folder. Other runs may remove some meanwhile."""
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            try:
                yield entry, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
