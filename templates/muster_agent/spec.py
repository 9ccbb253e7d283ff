"""What many attempts have in common, prepared once."""
import os

from .paths import relative
from .wire import raw, raw_env


class Spec:
    """A program with its files, outputs and limits. `environments`: slot number -> environment, filled as slots need it."""

    def __init__(self, data):
        self.argv = [raw(word) for word in data["argv"]]
        self.env = raw_env(data["env"])
        self.outputs = [(path, relative(path)) for path in data["outputs"]]
        owned = {name for _, name in self.outputs}
        self.files = [(relative(path), sha, mode, relative(path) in owned) for path, sha, mode in data["files"]]
        self.timeout = data.get("timeout")
        self.limit = data["limit"]
        self.memory, self.kind = data.get("memory"), None
        self.folders = self._folders()
        self.environments = {}

    def _folders(self):
        """Folders that must exist before the start, parents first."""
        found = set()
        for name in [name for _, name in self.outputs] + [name for name, _, _, _ in self.files]:
            parent = os.path.dirname(name)
            while parent:
                found.add(parent)
                parent = os.path.dirname(parent)
        return sorted(found)
