"""The folder in which the attempts of a slot run, one after another."""
from __future__ import annotations

import os
import stat

from .file_content import clone_file, copy_file, link
from .tree_removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

    from .content_store import ContentStore
    from .layout import FileEntry, Layout
    from .shared_content import SharedContent

    Stamp = Tuple[int, ...]

SECOND_NS = 1_000_000_000
BYTECODE_FOLDER = b"__pycache__"
FOLDER_MODE = 0o755  # the run's folder above is private


class PlacedFile:
    """A file as it was placed. `shared`: what it is a link to; None for a file of this working copy alone. Links that other slots
    make change the time of a shared file's status, so its stamp has none."""

    __slots__ = ("entry", "stamp", "shared")

    def __init__(self, entry: FileEntry, status: os.stat_result, shared: SharedContent | None = None):
        self.entry, self.shared = entry, shared
        self.stamp = self.stamp_of(status)

    def stamp_of(self, status: os.stat_result) -> Stamp:
        changed_ns = 0 if self.shared else status.st_ctime_ns
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode, changed_ns

    def is_intact(self, status: os.stat_result) -> bool:
        return self.stamp_of(status) == self.stamp


class WorkingCopy:
    """Before each attempt it is made equal to a layout: what an earlier attempt changed, added or removed is reset. A change
    is seen by inode, size, mode and times; contents are not read again. Compiled Python modules stay: Python checks
    them against their sources. `prepared`: the layout that the folder is equal to, until an attempt starts in it."""

    def __init__(self, path: str, store: ContentStore):
        self.path, self.store = os.fsencode(path), store
        self.placed: dict[bytes, PlacedFile] = {}
        self.prepared: Layout | None = None

    def prepare(self, layout: Layout) -> None:
        """OSError where a file cannot be placed or removed."""
        self.prepared = None
        try:
            kept_files, kept_folders = self.remove_changes(layout)
        except PermissionError:
            self.set_aside()
            kept_files, kept_folders = self.remove_changes(layout)
        self.placed = {name: self.placed[name] for name in kept_files}
        for name in layout.sorted_folders:
            if name not in kept_folders:
                os.mkdir(self.path + b"/" + name, FOLDER_MODE)
        if len(kept_files) < len(layout.entries):
            for name, entry in layout.entries.items():
                if name not in kept_files:
                    self.placed[name] = self.place(name, entry)
        self.prepared = layout

    def remove_changes(self, layout: Layout) -> tuple[set[bytes], set[bytes]]:
        """Removes all that differs from the layout. Returns the files and the folders that are as they should be."""
        kept_files: set[bytes] = set()
        kept_folders: set[bytes] = set()
        pending = [b""] if self.open_root() else []
        while pending:
            folder = pending.pop()
            for entry in list_folder(self.path + b"/" + folder):
                name = folder + b"/" + entry.name if folder else entry.name
                if not entry.is_dir(follow_symlinks=False):
                    if self.is_intact(name, entry, layout):
                        kept_files.add(name)
                    elif not is_bytecode(name):
                        os.unlink(entry.path)
                elif name in layout.folders or entry.name == BYTECODE_FOLDER:
                    kept_folders.add(name)
                    pending.append(name)
                else:
                    raise_error(remove_tree(os.fsdecode(entry.path)))
        return kept_files, kept_folders

    def find_change(self, layout: Layout) -> bytes | None:
        """A path at which the folder differs from a layout that it was made equal to; None where there is none."""
        kept: set[bytes] = set()
        pending = [b""]
        while pending:
            folder = pending.pop()
            for entry in list_folder(self.path + b"/" + folder):
                name = folder + b"/" + entry.name if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if entry.name == BYTECODE_FOLDER and name not in layout.folders:
                        continue  # Numba keeps compiled functions there, too
                    if name not in layout.folders:
                        return name
                    pending.append(name)
                elif self.is_intact(name, entry, layout):
                    kept.add(name)
                elif not is_bytecode(name):
                    return name
        return next((name for name in layout.entries if name not in kept), None)

    def set_aside(self) -> None:
        """An attempt left files that this user cannot remove, such as root's: a new folder takes the place of this one."""
        number = 1
        while os.path.lexists(self.path + b".%d" % number):
            number += 1
        os.rename(self.path, self.path + b".%d" % number)

    def open_root(self) -> bool:
        """Makes the folder where it is missing. False where it is new, so that nothing has to be compared."""
        try:
            os.makedirs(self.path, FOLDER_MODE)
            return False
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(self.path).st_mode):
                return True
            os.unlink(self.path)
            os.mkdir(self.path, FOLDER_MODE)
            return False

    def is_intact(self, name: bytes, entry: os.DirEntry[bytes], layout: Layout) -> bool:
        wanted, placed = layout.entries.get(name), self.placed.get(name)
        if wanted is None or placed is None or not wanted.is_same(placed.entry):
            return False
        return placed.is_intact(entry.stat(follow_symlinks=False))

    def place(self, name: bytes, entry: FileEntry) -> PlacedFile:
        """Puts a file there: a symbolic link, a copy, or a link to a shared content."""
        target = self.path + b"/" + name
        if entry.target is not None:
            os.symlink(entry.target, target)
            return PlacedFile(entry, os.lstat(target))
        source = self.store.path(entry.sha256)
        if entry.is_shared and not clone_file(source, target, entry.mode):
            shared = self.store.share(entry.sha256, entry.mode & 0o555 | 0o400)
            if shared and link(source, target):
                return PlacedFile(entry, os.lstat(target), shared)
        if not os.path.lexists(target):
            copy_file(source, target, entry.mode)
        # Older than any change that an attempt makes, however coarse the clock of the file system is.
        mtime_ns = os.stat(source).st_mtime_ns - SECOND_NS if entry.mtime_ns is None else entry.mtime_ns
        os.utime(target, ns=(mtime_ns, mtime_ns))
        return PlacedFile(entry, os.lstat(target))

    def changed_inputs(self, layout: Layout) -> list[bytes]:
        """Shared files that somebody wrote to since they were placed."""
        placed = [(name, self.placed[name].shared) for name in layout.shared]
        return [name for name, shared in placed if shared and shared.is_changed()]


def is_bytecode(name: bytes) -> bool:
    return name.endswith(b".pyc") and os.path.basename(os.path.dirname(name)) == BYTECODE_FOLDER


def list_folder(folder: bytes) -> list[os.DirEntry[bytes]]:
    """Its entries. An attempt may have changed its permissions, which are reset."""
    if stat.S_IMODE(os.lstat(folder).st_mode) != FOLDER_MODE:
        os.chmod(folder, FOLDER_MODE)
    with os.scandir(folder) as entries:
        return list(entries)


def raise_error(error: OSError | None) -> None:
    if error is not None:
        raise error
