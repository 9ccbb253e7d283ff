"""What many attempts have in common, prepared once."""
from __future__ import annotations

from ..paths import parse_relative
from ..wire import env_to_bytes, to_bytes
from ..workspace.layout import FileEntry
from .found_outputs import FoundOutputs
from .warm_worker import WarmLimits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..wire import Message
    from ..workspace.layout import Layout
    from .memory_admission import MemoryClass

GRACE_SECONDS = 5.0  # between SIGTERM and SIGKILL, where the job says nothing
MAX_COPIED_BYTES = 4 << 20  # each slot has a copy of smaller files


class Spec:
    """A program with its files, outputs and limits. `cwd`, `files`, `outputs` and `python_path` are relative to the working copy.
    `appended`: outputs that are empty files at first; `found`: those whose names are known at the end. `stdout_limit`: what the
    program prints is an output, too, of so many bytes at most. `directory`: a folder of the node that it runs in instead, with the
    outputs `plain`, and its program in one of the files `watch`. `environments`: by the numbers of an attempt's slots, filled when they first
    need their own. `layout`: set when it is first needed. `input_count`: how many of `files`, at their end, are inputs. `params`: as JSON."""

    def __init__(self, data: Message):
        self.argv = [to_bytes(word) for word in data["argv"]]
        self.env = env_to_bytes(data["env"])
        self.tree: str | None = data.get("tree")
        self.build: str | None = data.get("build")
        self.cwd = parse_folder(data.get("cwd", "."))
        self.python_path = [parse_folder(path) for path in data.get("pythonPath", [])]
        self.outputs: list[tuple[str, bytes]] = [(path, parse_relative(path)) for path in data["outputs"]]
        self.directory: str | None = data.get("directory")
        self.plain = [parse_relative(path) for path in data.get("plain", [])]
        self.watch = [parse_relative(path) for path in data.get("watch", [])]
        self.output_names = [name for _, name in self.outputs]
        self.appended = [parse_relative(path) for path in data.get("append", [])]
        self.found = [FoundOutputs(found) for found in data.get("found", [])]
        self.file_limit: int = data.get("fileLimit", 0)
        self.stdout_limit: int | None = data.get("stdoutLimit")
        self.files: dict[bytes, FileEntry] = {}
        for row in data["files"]:
            self.add_file(row)
        self.input_count: int = data.get("inputs", 0)
        self.params: str | None = data.get("params")
        self.warm = WarmLimits(data["warm"]) if "warm" in data else None
        self.tty: bool = data.get("tty", False)
        self.timeout: float | None = data.get("timeout")
        self.grace: float = data.get("grace", GRACE_SECONDS)
        self.state: Message | None = data.get("state")  # how it is kept
        self.stall_seconds: float | None = data.get("stall")
        self.max_output_bytes: int = data["limit"]
        self.memory_bytes: int | None = data.get("memory")
        self.threads: int | None = data.get("threads")
        self.memory_class: MemoryClass | None = None
        self.layout: Layout | None = None
        self.environments: dict[tuple[int, ...], dict[bytes, bytes]] = {}

    @property
    def worker_key(self) -> object:
        """Equal for specs whose chunks one warm worker may take."""
        isolate = self.warm.isolate if self.warm else None
        return (tuple(self.argv), tuple(sorted(self.env.items())), self.tree, self.build, self.cwd, tuple(self.python_path), isolate)

    def add_file(self, row: list[Any]) -> None:
        path, sha256, mode, size_bytes = row
        name = parse_relative(path)
        entry = FileEntry(sha256, size_bytes, mode & 0o777 | 0o400)
        if name in self.output_names:
            entry.mode |= 0o600
        else:
            entry.is_shared = size_bytes > MAX_COPIED_BYTES
        self.files[name] = entry

    @property
    def needed_folders(self) -> list[bytes]:
        """Folders that exist when the program starts, beside those of files."""
        return [self.cwd] + self.python_path + [found.base for found in self.found]


def parse_folder(path: str) -> bytes:
    """The path as bytes; empty for the top of the working copy."""
    name = parse_relative(path)
    return b"" if name == b"." else name
