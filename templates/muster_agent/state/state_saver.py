"""Keeps what programs save of their state, so that the coordinator can copy it."""
from __future__ import annotations

import os
from math import inf

from ..errors import describe_error
from ..workspace.tree_removal import remove_tree
from ..wire import clip
from .state_folder import StateFault, read_current, take_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from ..attempts.attempt import Attempt
    from ..attempts.slots import SlotPool
    from ..connection.server import Server
    from ..processes.worker_thread import WorkerThread
    from ..wire import Message


class StateSaver:
    """Looks for new states of running programs at the intervals of their jobs, and for the last one of an attempt without a result."""

    def __init__(self, root: str, slots: SlotPool, server: Server, worker: WorkerThread):
        self.root, self.slots, self.server, self.worker = root, slots, server, worker
        self.next_check = inf

    def due(self) -> float:
        return self.next_check

    def attempt_started(self, attempt: Attempt) -> None:
        if attempt.program.state is not None:
            attempt.state_due = attempt.began + attempt.program.state["every"]
            self.next_check = min(self.next_check, attempt.state_due)

    def run_checks(self, time_now: float) -> None:
        if time_now < self.next_check:
            return
        self.next_check = inf
        for attempt in self.slots.active.values():
            if attempt.program.state is None or attempt.phase != "running":
                continue
            if time_now >= attempt.state_due:
                attempt.state_due = time_now + attempt.program.state["every"]
                self.take(attempt, lambda attempt=attempt: self.send(attempt))
            self.next_check = min(self.next_check, attempt.state_due)

    def send(self, attempt: Attempt) -> None:
        """Tells the coordinator of a new state, unless the attempt has ended: then its result does."""
        if attempt.phase == "running" and attempt.saved_state is not attempt.sent_state:
            attempt.sent_state = attempt.saved_state
            self.server.send({"ev": "saved", "id": attempt.id, "state": attempt.saved_state})

    def forget_sent(self) -> None:
        """Has the last states sent again, to a coordinator that has just attached."""
        for attempt in self.slots.active.values():
            attempt.sent_state = None
            self.send(attempt)

    def take(self, attempt: Attempt, then: Callable[[], object]) -> None:
        """Keeps what the program saved last, if that is new, and calls `then`."""
        folder = os.path.join(self.root, attempt.folder)
        known, number = attempt.saved_state, attempt.state_count
        assert attempt.program.state is not None
        limit_bytes = attempt.program.state["limit"]
        attempt.state_count += 1

        def work() -> Message | None:
            try:
                name = read_current(folder)
                if name is None or (known is not None and known["name"] == name.decode("utf-8", "replace")):
                    return known
                remove_tree("{}/saved/{}".format(folder, number - 2))
                return take_state(folder, name, number, limit_bytes)
            except StateFault as fault:
                return describe_fault(known, str(fault))
            except OSError as error:
                return describe_fault(known, describe_error(error, "it cannot be read"))

        def finish(state: Message | None) -> None:
            attempt.saved_state = state
            then()

        self.worker.submit(work, finish)


def describe_fault(known: Message | None, error: str) -> Message:
    """A state that cannot be kept. The same one, where the same error was found before."""
    if known is not None and known.get("error") == clip(error):
        return known
    return {"name": "", "folder": 0, "files": [], "error": clip(error)}
