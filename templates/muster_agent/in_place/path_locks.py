"""Locks of the node on the files that attempts write, across the runs of a user."""
from __future__ import annotations

import fcntl
import hashlib
import os

from ..access.path_access import find_problems
from ..gpu.lock_files import MAX_TRIES, OPEN_FLAGS, USER_FOLDER, is_same_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable

WITHOUT = "{}: outputs are written without locks"


class PathLocks:
    """All locks of one attempt: it holds all or none of them, so that no two attempts wait for each other. They are locked with flock,
    so that the kernel releases them with the agent. `report` gets the reason where there can be no locks."""

    def __init__(self, paths: Iterable[bytes], report: Callable[[str], object]):
        self.folder, self.report = USER_FOLDER.format(os.geteuid()), report
        self.files = sorted((self.lock_file(path), path) for path in set(paths))
        self.held: list[tuple[int, str]] = []

    def lock_file(self, path: bytes) -> str:
        return os.path.join(self.folder, "path-{}.lock".format(hashlib.sha256(path).hexdigest()[:40]))

    def acquire(self) -> bytes | None:
        """The path that another attempt has locked; None once all are locked."""
        for file, path in self.files:
            try:
                fd = self.lock(file)
            except BlockingIOError:
                self.release()
                return path
            except OSError as error:
                self.report(WITHOUT.format("{}: {}".format(file, error.strerror)))
                continue
            if fd is not None:
                self.held.append((fd, file))
        return None

    def lock(self, file: str) -> int | None:
        """A locked descriptor; None where the folder cannot be trusted. BlockingIOError where another process has the lock."""
        for _ in range(MAX_TRIES):
            try:
                os.mkdir(self.folder, 0o700)
            except FileExistsError:
                pass
            for problem in find_problems(self.folder, os.geteuid(), exclusive=True):
                self.report(WITHOUT.format("{path} {fault}; {fix}".format(**problem)))
                return None
            try:
                fd = os.open(file, os.O_RDWR | os.O_CREAT | OPEN_FLAGS, 0o600)
            except FileNotFoundError:  # another run has just removed the folder
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                raise
            if is_same_file(fd, file):
                return fd
            os.close(fd)
        raise BlockingIOError

    def release(self) -> None:
        """The files are removed; the folder too, where nobody else has a lock in it."""
        for fd, file in self.held:
            if is_same_file(fd, file):
                os.unlink(file)
            os.close(fd)
        if self.held:
            try:
                os.rmdir(self.folder)
            except OSError:
                pass
        self.held = []
