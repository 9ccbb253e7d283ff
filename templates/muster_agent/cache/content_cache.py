"""Contents that all runs on this node share, in WORKDIR/cache/contents by SHA-256."""
from __future__ import annotations

import os
from time import monotonic as now

from ..access.path_access import find_problems
from ..errors import describe_error
from ..workspace.content_stamp import READ_ONLY, is_stamped, stamp
from ..workspace.file_content import copy_and_hash, hash_path, link
from .eviction import default_budget_bytes, evict, free_bytes

PARTIAL = ".part"  # of a copy that is being made
CHANGED = "{} was changed after it was stored, and is staged again"
UNUSABLE = "the cache {} is not used, and inputs are sent for this run alone: {}"
RESERVED_BYTES = 64 << 20  # space that staging leaves free, for results
EVICTION_PAUSE_SECONDS = 10.0  # after one that did not make enough room


class ContentCache:
    """Contents are read-only files. Runs hold links to them, so a content that is removed here stays with the runs that use it.
    `budget_bytes`: what the cache may hold after a run, or None: the default. `has_grown`: whether this run has added to it. `total_bytes`:
    what it held when it was listed last, and what this run has added since; None = not listed yet. `problems`: messages for the user; any thread adds to them, the event loop sends them. The folder is made when the
    first content is stored."""

    def __init__(self, root: str):
        self.workdir_folder = os.path.join(os.path.dirname(os.path.dirname(root)), "cache")
        self.folder = os.path.join(self.workdir_folder, "contents")
        self.budget_bytes: int | None = None
        self.has_grown = False
        self.total_bytes: int | None = None
        self.next_eviction_at = 0.0
        self.problems: list[str] = []
        self.is_checked = self.is_usable = False

    def acquire(self, sha256: str, size_bytes: int | None, target: str) -> bool:
        """Makes `target` a link to a content, or a copy of it. False where it is not there; one that somebody changed is removed.
        Reads a content that has no valid stamp. OSError where the target cannot be made."""
        path = os.path.join(self.folder, sha256)
        if not os.path.lexists(path) or not self.check():
            return False
        try:
            if not link(path, target):
                return self._copy(sha256, path, target)
        except FileNotFoundError:  # another run has just removed it
            return False
        status = os.lstat(target)
        if size_bytes in (None, status.st_size) and is_stamped(status, sha256):
            return True
        return self._verify(sha256, target)

    def _copy(self, sha256: str, path: str, target: str) -> bool:
        """For file systems without links between the cache and the run."""
        if copy_and_hash(path, target)[1] != sha256:
            return self._reject(sha256)
        os.chmod(path, READ_ONLY)  # records the use: its ctime
        os.chmod(target, READ_ONLY)
        stamp(target, sha256)
        return True

    def _verify(self, sha256: str, target: str) -> bool:
        """Compares the whole content that a new link leads to."""
        try:
            if hash_path(target)[1] != sha256:
                return self._reject(sha256)
        except OSError:
            return self._reject(sha256)
        os.chmod(target, READ_ONLY)
        stamp(target, sha256)
        return True

    def _reject(self, sha256: str) -> bool:
        path = os.path.join(self.folder, sha256)
        self.problems.append(CHANGED.format(path))
        remove_if_there(path)
        return False

    def discard_changed(self, sha256: str) -> None:
        """Removes a content that somebody has written to."""
        path = os.path.join(self.folder, sha256)
        try:
            if not is_stamped(os.lstat(path), sha256):
                os.unlink(path)
        except OSError:
            pass

    def publish(self, sha256: str, source: str) -> None:
        """Adds a content that this run has stored. Where that fails, only later runs miss it."""
        path = os.path.join(self.folder, sha256)
        try:
            if not self.check(make=True):
                return
            if not link(source, path):
                self._publish_copy(sha256, source, path)
            self.has_grown = True
            if self.total_bytes is not None:
                self.total_bytes += os.lstat(path).st_size
        except FileExistsError:
            pass  # another run was faster
        except OSError as error:
            self.problems.append(describe_error(error, "an input could not be stored in the node's cache"))

    def _publish_copy(self, sha256: str, source: str, path: str) -> None:
        partial = "{}.{}{}".format(path, os.getpid(), PARTIAL)
        try:
            if copy_and_hash(source, partial)[1] == sha256:
                os.chmod(partial, READ_ONLY)
                stamp(partial, sha256)
                os.replace(partial, path)
        finally:
            remove_if_there(partial)

    def check(self, make: bool = False) -> bool:
        """Whether nobody but this user and root can change what lies in the folder; reported once. `make`: a missing folder is made."""
        if self.is_checked or not (make or os.path.isdir(self.folder)):
            return self.is_usable
        self.is_checked = True
        try:
            for folder in (self.workdir_folder, self.folder):
                make_private_folder(folder)
            faults = ["{path} {fault}; {fix}".format(**problem) for problem in find_problems(self.folder, os.geteuid(), exclusive=True)]
            if not faults and not os.access(self.folder, os.W_OK | os.X_OK):
                faults = ["this user may not write to it"]
        except OSError as error:
            faults = [describe_error(error, "it cannot be used")]
        self.is_usable = not faults
        if faults:
            self.problems.append(UNUSABLE.format(self.folder, faults[0]))
        return self.is_usable

    def make_room(self, size_bytes: int) -> None:
        """Removes what no run uses, least recently used first, until so many bytes more are within the budget and on the disk. Lists
        the cache only where that may be necessary, and not again at once where it does not help."""
        if size_bytes == 0 or now() < self.next_eviction_at or not self.check():
            return
        limit = self.limit_bytes()

        def is_enough(total_bytes: int) -> bool:
            return total_bytes + size_bytes <= limit and free_bytes(self.folder) >= size_bytes + RESERVED_BYTES

        if self.total_bytes is None or not is_enough(self.total_bytes):
            self.total_bytes = evict(self.workdir_folder, is_enough).kept_bytes
            if not is_enough(self.total_bytes):
                self.next_eviction_at = now() + EVICTION_PAUSE_SECONDS

    def shrink(self) -> None:
        """Removes what no run uses, least recently used first, until the cache is within its budget."""
        if self.check(make=True):
            limit = self.limit_bytes()
            self.total_bytes = evict(self.workdir_folder, lambda total_bytes: total_bytes <= limit).kept_bytes

    def record_growth(self) -> None:
        """Something else was added: the result of a build."""
        self.has_grown, self.total_bytes = True, None

    def limit_bytes(self) -> int:
        return default_budget_bytes(self.folder) if self.budget_bytes is None else self.budget_bytes

    def take_problems(self) -> list[str]:
        problems, self.problems = self.problems, []
        return problems


def make_private_folder(folder: str) -> None:
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass


def remove_if_there(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
