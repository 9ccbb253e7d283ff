"""Deletes folder trees."""
from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

NAME_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


class TreeRemoval:
    """Deletes a folder, also where a chunk removed its own permissions, and at any depth: deep folders are moved up before they
    are listed, so that no path gets too long. Links are not followed. `error`: the first OSError, or None."""

    def __init__(self, path: str):
        self.path = path
        self.error: OSError | None = None
        self.moved = 0
        self.pending = [path]
        self.try_to(self.begin, path)

    def begin(self, path: str) -> None:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            os.unlink(path)
        elif stat.S_ISDIR(mode):
            self.run()

    def run(self) -> None:
        while self.pending:
            folder = self.pending.pop()
            for entry in self.list_folder(folder):
                if entry.is_dir(follow_symlinks=False):
                    self.pending.append(self.move_up(entry))
                else:
                    self.try_to(os.unlink, entry.path)
            if folder != self.path:
                self.try_to(os.rmdir, folder)
        self.try_to(os.rmdir, self.path)

    def list_folder(self, folder: str) -> list[os.DirEntry[str]]:
        self.make_accessible(folder)
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except OSError as error:
            self.error = self.error or error
            return []

    def make_accessible(self, folder: str) -> None:
        """Sets the owner's permissions. Only the owner can; the contents of another user's folder may be deletable all the same."""
        try:
            if stat.S_IMODE(os.lstat(folder).st_mode) & 0o700 != 0o700:
                os.chmod(folder, 0o700)
        except OSError:
            pass

    def move_up(self, entry: os.DirEntry[str]) -> str:
        """Moves a folder to the top of the tree where that is possible; returns its path."""
        self.make_accessible(entry.path)
        while os.path.dirname(entry.path) != self.path:
            target = os.path.join(self.path, "removed-{}".format(self.moved))
            self.moved += 1
            try:
                os.rename(entry.path, target)
                return target
            except OSError as error:
                if error.errno not in NAME_TAKEN:
                    break
        return entry.path

    def try_to(self, function: Callable[[str], object], path: str) -> None:
        try:
            function(path)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self.error = self.error or error


def remove_tree(path: str) -> OSError | None:
    """Deletes the tree; the first OSError of what stays, or None."""
    return TreeRemoval(path).error
