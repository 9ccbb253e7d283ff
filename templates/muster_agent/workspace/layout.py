"""Which files a working copy holds when an attempt starts."""
from __future__ import annotations

import json
import os

from ..paths import parse_relative
from ..wire import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

    from .content_store import ContentStore

LINK_MODE = 0o120000  # of a symbolic link in a project tree


class FileEntry:
    """A file of a working copy: a content with a mode, or a symbolic link to `target`. `mtime_ns`: None = that of the staged file.
    `is_shared`: a large file may be a read-only link to the staged one."""

    __slots__ = ("sha256", "size_bytes", "mode", "mtime_ns", "target", "is_shared")

    def __init__(self, sha256: str, size_bytes: int, mode: int, mtime_ns: int | None = None, target: bytes | None = None):
        self.sha256, self.size_bytes, self.mode, self.mtime_ns, self.target = sha256, size_bytes, mode, mtime_ns, target
        self.is_shared = False

    def is_same(self, other: FileEntry) -> bool:
        return (self.sha256, self.mode, self.target) == (other.sha256, other.mode, other.target)


class ProjectTree:
    """The files of a project, and the folders that they lie in."""

    def __init__(self, entries: dict[bytes, FileEntry]):
        self.entries = entries
        self.folders = parents(entries)

    def missing(self, store: ContentStore) -> bytes:
        """One bit for each file, in the manifest's order, the highest bit of a byte first: whether its content is not there."""
        bits = bytearray((len(self.entries) + 7) // 8)
        for index, entry in enumerate(self.entries.values()):
            if entry.target is None and not store.has(entry.sha256, entry.size_bytes):
                bits[index >> 3] |= 0x80 >> (index & 7)
        return bytes(bits)


def parse_manifest(manifest: bytes | str) -> dict[bytes, FileEntry]:
    """The files of a manifest: {"files": [[path, mode, mtime in seconds, SHA-256, size] or [path, mode, mtime, target]]}, as
    executor/run/record/snapshot.ts writes it. ValueError, KeyError, IndexError or TypeError where it is none."""
    return {parse_relative(row[0]): parse_row(row) for row in json.loads(manifest)["files"]}


def overlay(lower: dict[bytes, FileEntry], upper: dict[bytes, FileEntry]) -> dict[bytes, FileEntry]:
    """The files of both. Those of `upper` replace what lies at their paths: files, and folders with all that is in them."""
    folders = parents(upper)
    kept = {name: entry for name, entry in lower.items() if name not in folders and upper.keys().isdisjoint(parents([name]))}
    kept.update(upper)
    return kept


def parse_row(row: list[Any]) -> FileEntry:
    mode, mtime_ns = int(row[1]), int(row[2]) * 1_000_000_000
    if mode == LINK_MODE:
        return FileEntry("", 0, mode, None, to_bytes(row[3]))
    return FileEntry(row[3], int(row[4]), mode & 0o777 | 0o600, mtime_ns)


class Layout:
    """`entries`: the files by their paths in the working copy; `folders`: all folders; `sorted_folders`: parents first; `shared`:
    the files that may be links to the store."""

    def __init__(self, entries: dict[bytes, FileEntry], folders: Iterable[bytes]):
        self.entries = entries
        self.folders = frozenset(folders)
        self.sorted_folders = sorted(self.folders)
        self.shared = [name for name, entry in entries.items() if entry.is_shared]


def build_layout(tree: ProjectTree | None, files: dict[bytes, FileEntry], outputs: list[bytes], needed: list[bytes]) -> Layout:
    """The project's files, with staged files over them. Outputs are not there, but their folders are, and the `needed` ones."""
    entries = dict(tree.entries) if tree else {}
    entries.update(files)
    for name in outputs:
        if name not in files:
            entries.pop(name, None)
    folders = set(tree.folders) if tree else set()
    made = parents(files) | parents(outputs) | parents(needed) | set(filter(None, needed))
    for name in made:
        entries.pop(name, None)  # a link or a file of the project where a folder is needed
    return Layout(entries, folders | made)


def parents(names: Iterable[bytes]) -> set[bytes]:
    """All folders that lie above these paths."""
    found: set[bytes] = set()
    for name in names:
        parent = os.path.dirname(name)
        while parent and parent not in found:
            found.add(parent)
            parent = os.path.dirname(parent)
    return found
