"""Keeps what programs save of their state, so that the coordinator can copy it."""
from __future__ import annotations

from math import inf
from time import monotonic as now

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

    def __init__(self, slots: SlotPool, server: Server, worker: WorkerThread):
        self.slots, self.server, self.worker = slots, server, worker
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
                attempt.state_due = inf  # until this look has ended: looks at a large state may take longer than their interval
                self.take(attempt, lambda attempt=attempt: self.finish_look(attempt))
            self.next_check = min(self.next_check, attempt.state_due)

    def hasten(self, attempt: Attempt, by: float) -> None:
        """Looks at an attempt by that time, if it would come later."""
        if attempt.state_due != inf:
            attempt.state_due = min(attempt.state_due, by)
            self.next_check = min(self.next_check, attempt.state_due)

    def finish_look(self, attempt: Attempt) -> None:
        self.send(attempt)
        assert attempt.program.state is not None
        attempt.state_due = now() + attempt.program.state["every"]
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
        states = attempt.saved_states
        assert states is not None

        def finish(state: Message | None) -> None:
            attempt.saved_state = state
            then()

        self.worker.submit(states.look, finish)
