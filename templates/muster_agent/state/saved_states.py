"""What the program of an attempt has saved so far."""
from __future__ import annotations

from ..errors import describe_error
from ..wire import clip
from ..workspace.tree_removal import remove_tree
from .state_folder import StateFault, read_current, take_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

    from ..wire import Message

    Current = Tuple[bytes, int, int]

MAX_TRIES = 10  # a program may save the next state, and remove the one before it, while that is read


class SavedStates:
    """Keeps the last two states of one attempt. After it is made, it is used in the worker thread only."""

    def __init__(self, folder: str, limit_bytes: int):
        """`folder`: of the attempt, whose state folder is laid out; its program has not started."""
        self.folder, self.limit_bytes = folder, limit_bytes
        self.seen: Current | None = read_current(folder)  # what an earlier attempt saved is known to the coordinator
        self.last: Message | None = None
        self.count = 0

    def look(self) -> Message | None:
        """Keeps what the program saved last, if that is new. Returns the last state, or why it cannot be kept; None = there is none."""
        tries = 0
        while True:
            current = None
            tries += 1
            try:
                current = read_current(self.folder)
                if current is not None and current != self.seen:
                    self.keep(current)
                return self.last
            except (StateFault, OSError) as fault:
                if tries == MAX_TRIES or not self.has_changed(current):
                    self.last = self.describe_fault(fault)
                    return self.last

    def keep(self, current: Current) -> None:
        remove_tree("{}/saved/{}".format(self.folder, self.count - 2))
        self.last = take_state(self.folder, current[0], self.count, self.limit_bytes)
        self.seen = current
        self.count += 1

    def has_changed(self, current: Current | None) -> bool:
        """Whether the program has saved another state since `current` was read; None = it could not be."""
        try:
            return current is not None and read_current(self.folder) != current
        except (StateFault, OSError):
            return False

    def describe_fault(self, fault: Exception) -> Message:
        """A state that cannot be kept. The same one, where the same error was found before."""
        error = clip(describe_error(fault, "it cannot be read") if isinstance(fault, OSError) else str(fault))
        if self.last is not None and self.last.get("error") == error:
            return self.last
        return {"name": "", "folder": 0, "files": [], "error": error}
