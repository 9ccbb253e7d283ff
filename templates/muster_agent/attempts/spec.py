"""What many attempts have in common, prepared once."""
from __future__ import annotations

import os

from ..paths import parse_relative
from ..wire import env_to_bytes, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wire import Message
    from .memory_admission import MemoryClass


class Spec:
    """A program with its files, outputs and limits. `environments`: by slot number, filled when a slot first needs its own."""

    def __init__(self, data: Message):
        self.argv = [to_bytes(word) for word in data["argv"]]
        self.env = env_to_bytes(data["env"])
        self.outputs: list[tuple[str, bytes]] = [(path, parse_relative(path)) for path in data["outputs"]]
        output_names = {name for _, name in self.outputs}
        # (name, SHA-256, mode, whether it is also an output)
        self.files: list[tuple[bytes, str, int, bool]] = [
            (parse_relative(path), sha256, mode, parse_relative(path) in output_names) for path, sha256, mode in data["files"]
        ]
        self.timeout: float | None = data.get("timeout")
        self.max_output_bytes: int = data["limit"]
        self.memory_bytes: int | None = data.get("memory")
        self.memory_class: MemoryClass | None = None
        self.folders = self._folders()
        self.environments: dict[int, dict[bytes, bytes]] = {}

    def _folders(self) -> list[bytes]:
        """Folders that must exist before the program starts, parents first."""
        found: set[bytes] = set()
        for name in [name for _, name in self.outputs] + [name for name, _, _, _ in self.files]:
            parent = os.path.dirname(name)
            while parent:
                found.add(parent)
                parent = os.path.dirname(parent)
        return sorted(found)
