"""Staged files."""
import base64
import errno
import os

from .paths import copy_file


class Store:
    """They are linked into working directories read-only, so that no chunk changes another's input."""

    def __init__(self, root):
        self.folder = os.path.join(root, "store")
        self.modes = {}
        self.lacking = {}

    def put(self, sha, data):
        """Keeps a small file that came over the channel. Where that fails, whoever needs the file is told why."""
        path = os.path.join(self.folder, sha)
        try:
            with open(path + ".part", "wb") as file:
                file.write(base64.b64decode(data))
            os.replace(path + ".part", path)
        except OSError as error:
            self.lacking[sha] = error
        else:
            self.lacking.pop(sha, None)
            self.modes.pop(sha, None)

    def name(self, sha, mode):
        """The stored file of this content and mode (a mode belongs to a file, so a second mode needs a copy)."""
        mode = mode & 0o555 | 0o400
        path = os.path.join(self.folder, sha)
        known = self.modes.get(sha)
        if known is None:
            os.chmod(path, mode)
            self.modes[sha] = mode
        elif known != mode:
            copy = "{}.{:o}".format(path, mode)
            if not os.path.exists(copy):
                copy_file(path, copy, mode)
            return copy
        return path

    def place(self, sha, mode, target, owned):
        """Puts it at `target`; as a copy of its own where the chunk will write it, or where links do not work."""
        if sha in self.lacking:
            raise self.lacking[sha]
        if owned:
            return copy_file(os.path.join(self.folder, sha), target, mode | 0o600)
        source = self.name(sha, mode)
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
                raise
            copy_file(source, target, mode)
