"""What a coordinator asks to build."""
from __future__ import annotations

import hashlib
import json
import os

from ..attempts.spec import parse_folder
from ..paths import parse_relative
from ..wire import env_to_bytes, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wire import Message

# A build made by an older muster is not taken where this has changed since.
CACHE_FORMAT = 1
KEY_FIELDS = ("tree", "argv", "env", "cwd", "outputs", "gpu")


class BuildRequest:
    """The fields of a `build`. `cwd` and `outputs` are paths in the working copy."""

    def __init__(self, message: Message):
        self.id: str = message["id"]
        self.tree: str = message["tree"]
        self.argv = [to_bytes(word) for word in message["argv"]]
        self.env = env_to_bytes(message["env"])
        self.cwd = parse_folder(message.get("cwd", "."))
        self.outputs = [os.path.join(self.cwd, parse_relative(path)) for path in message["outputs"]]
        self.timeout_seconds: float = message["timeout"]
        self.key_fields = {name: message.get(name) for name in KEY_FIELDS}

    def key(self, toolchain: str) -> str:
        """The SHA-256 of all that the result depends on. `toolchain`: the versions of the node's compilers, as they print them."""
        facts = [CACHE_FORMAT, self.key_fields, toolchain]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
