"""Results of builds that every run on this node can use."""
from __future__ import annotations

import json
import os
import stat

from ..access.path_access import find_problems
from ..workspace.file_content import copy_and_hash
from ..workspace.layout import LINK_MODE, parse_manifest
from ..workspace.tree_removal import remove_tree
from ..workspace.working_copy import raise_error
from .build_lock import BuildLock
from .build_outputs import BuildError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..workspace.content_store import ContentStore
    from ..workspace.layout import FileEntry
    from .build_outputs import FoundFiles

MANIFEST = "manifest.json"
PARTIAL = ".part"  # of a result that is being stored, under its lock
SHARED_BYTES = 4 << 20  # a larger file may be one read-only link for all slots, as with staged files
CHANGED = "{} changed while it was stored: the build left a process behind that writes to it"


class BuildCache:
    """Each result is a folder: its contents by SHA-256, and a manifest with the rows of a project's manifest, which is written
    last. `folder`: of all results, in the workdir of the node, and beside the folders of runs."""

    def __init__(self, root: str):
        self.folder = os.path.join(os.path.dirname(os.path.dirname(root)), "cache", "builds")

    def lock(self, key: str) -> BuildLock:
        """OSError where the folder of the cache cannot be made, or where another user could change what is in it."""
        for folder in (os.path.dirname(self.folder), self.folder):
            try:
                os.mkdir(folder, 0o700)
            except FileExistsError:
                pass
        for problem in find_problems(self.folder, os.geteuid(), exclusive=True):
            raise BuildError("{path} {fault}: {fix}".format(**problem))
        return BuildLock(os.path.join(self.folder, key + ".lock"))

    def restore(self, key: str, store: ContentStore) -> dict[bytes, FileEntry] | None:
        """Copies a result into the store of the run, and returns its files; None where there is none. One that is damaged is
        deleted. The caller holds the lock. OSError where the store cannot take it."""
        folder = os.path.join(self.folder, key)
        try:
            entries = read_manifest(os.path.join(folder, MANIFEST))
        except (FileNotFoundError, ValueError, KeyError, IndexError, TypeError):
            entries = None
        for entry in (entries or {}).values():
            if entry.target is None and not store.has(entry.sha256, entry.size_bytes):
                if not store.add_copy(entry.sha256, os.path.join(folder, entry.sha256)):
                    entries = None
                    break
        if entries is None:
            remove_tree(folder)
            return None
        os.utime(folder)
        return entries

    def save(self, key: str, copy: bytes, found: FoundFiles) -> None:
        """Stores the files that a build made in a working copy. The caller holds the lock. The contents are not synced to disk:
        they are compared with their SHA-256 before they are used. OSError where they cannot be stored."""
        folder, partial = os.path.join(self.folder, key), os.path.join(self.folder, key + PARTIAL)
        raise_error(remove_tree(partial))
        os.mkdir(partial, 0o700)
        rows = [store_output(partial, copy, name, status) for name, status in found.items()]
        with open(os.path.join(partial, MANIFEST), "w") as file:
            json.dump({"files": rows}, file)
            file.flush()
            os.fsync(file.fileno())
        raise_error(remove_tree(folder))
        os.rename(partial, folder)

    def remove_partial(self) -> None:
        """Deletes what killed agents left. Results that somebody stores now stay."""
        for name in os.listdir(self.folder):
            if not name.endswith(PARTIAL):
                continue
            lock = BuildLock(os.path.join(self.folder, name[: -len(PARTIAL)] + ".lock"))
            if lock.acquire():
                remove_tree(os.path.join(self.folder, name))
                lock.remove()


def read_manifest(path: str) -> dict[bytes, FileEntry]:
    with open(path) as file:
        entries = parse_manifest(file.read())
    for entry in entries.values():
        entry.is_shared = entry.size_bytes > SHARED_BYTES
    return entries


def store_output(folder: str, copy: bytes, name: bytes, status: os.stat_result) -> list[Any]:
    """Copies a file into the folder of a result, under its SHA-256; returns its row for the manifest."""
    path, mtime = os.path.join(copy, name), int(status.st_mtime)
    text = name.decode("utf-8", "surrogateescape")
    if stat.S_ISLNK(status.st_mode):
        return [text, LINK_MODE, mtime, os.readlink(path).decode("utf-8", "surrogateescape")]
    partial = os.path.join(folder, "content" + PARTIAL)
    size_bytes, sha256 = copy_and_hash(os.fsdecode(path), partial)
    if size_bytes != status.st_size:
        raise BuildError(CHANGED.format(text))
    os.replace(partial, os.path.join(folder, sha256))
    return [text, stat.S_IMODE(status.st_mode), mtime, sha256, size_bytes]

