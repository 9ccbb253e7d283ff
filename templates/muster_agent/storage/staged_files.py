"""Staged input files, in store/ by SHA-256."""
from __future__ import annotations

import base64
import errno
import os

from ..paths import copy_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..paths import Path

NO_LINK_ERRORS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)


class StagedFiles:
    """Read-only links to them go into working directories, so that no chunk changes the input of another."""

    def __init__(self, root: str):
        self.folder = os.path.join(root, "store")
        self.modes: dict[str, int] = {}
        self.errors: dict[str, OSError] = {}

    def add(self, sha256: str, data: str) -> None:
        """Stores a small file that came in a message, in base64. Where that fails, `place` raises the error."""
        path = os.path.join(self.folder, sha256)
        try:
            with open(path + ".part", "wb") as file:
                file.write(base64.b64decode(data))
            os.replace(path + ".part", path)
        except OSError as error:
            self.errors[sha256] = error
        else:
            self.errors.pop(sha256, None)
            self.modes.pop(sha256, None)

    def path(self, sha256: str, mode: int) -> str:
        """The path of a stored file with this content and mode. Links share their mode, so each further mode needs a copy."""
        mode = mode & 0o555 | 0o400
        path = os.path.join(self.folder, sha256)
        known_mode = self.modes.get(sha256)
        if known_mode is None:
            os.chmod(path, mode)
            self.modes[sha256] = mode
        elif known_mode != mode:
            copy = "{}.{:o}".format(path, mode)
            if not os.path.exists(copy):
                copy_file(path, copy, mode)
            return copy
        return path

    def place(self, sha256: str, mode: int, target: Path, is_writable: bool) -> None:
        """Puts the file at `target`, as a link; as a copy where the chunk writes to it, or where links are not possible. OSError
        where it is not stored."""
        if sha256 in self.errors:
            raise self.errors[sha256]
        if is_writable:
            return copy_file(os.path.join(self.folder, sha256), target, mode | 0o600)
        source = self.path(sha256, mode)
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in NO_LINK_ERRORS:
                raise
            copy_file(source, target, mode)
