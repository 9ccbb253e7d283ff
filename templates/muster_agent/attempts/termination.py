"""How an attempt is made to end: SIGTERM, then SIGKILL, then its slot is given up."""
from __future__ import annotations

import signal
from time import monotonic as now

from ..processes.process_table import DEATH_SECONDS, kill
from .logs import close_logs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..in_place.in_place import InPlace
    from ..processes.reap import Reaper
    from ..storage.outbox import Outbox
    from .attempt import Attempt
    from .slots import SlotPool


class Termination:
    """Ends attempts that are cancelled or out of time, and escalates where one does not end."""

    def __init__(self, slots: SlotPool, reaper: Reaper, outbox: Outbox, in_place: InPlace):
        self.slots, self.reaper, self.outbox, self.in_place = slots, reaper, outbox, in_place

    def cancel(self, attempt: Attempt) -> None:
        """An attempt whose program has ended by itself keeps its result."""
        if attempt.phase == "queued":
            attempt.cancelled = True
            self.slots.withdraw(attempt)
            self.outbox.fail(attempt, None)
        elif attempt.phase == "preparing":
            self.in_place.cancel(attempt)
        elif attempt.phase == "running":
            attempt.cancelled = True
            self.terminate(attempt)
        elif attempt.timeout and attempt.phase != "done":
            attempt.cancelled = True

    def evict(self, attempt: Attempt) -> None:
        """Ends an attempt as a cancel does, so that it runs again and does not fail; kills one that is being ended already."""
        if attempt.phase == "running":
            attempt.cancelled = True
            self.terminate(attempt)
        else:
            self.kill(attempt)

    def check_deadlines(self, time_now: float) -> None:
        for attempt in list(self.slots.active.values()):
            if attempt.deadline is not None and attempt.deadline <= time_now:
                self.escalate(attempt)

    def escalate(self, attempt: Attempt) -> None:
        if attempt.phase == "running":
            attempt.timeout = True
            self.terminate(attempt)
        elif attempt.phase == "terminating":
            self.kill(attempt)
        else:
            self.give_up(attempt)

    def terminate(self, attempt: Attempt) -> None:
        attempt.phase, attempt.deadline = "terminating", now() + attempt.program.grace
        kill(attempt.pid, signal.SIGTERM, group=True)

    def kill(self, attempt: Attempt) -> None:
        attempt.phase, attempt.deadline = "killed", now() + DEATH_SECONDS
        kill(attempt.pid, signal.SIGKILL, group=True)

    def give_up(self, attempt: Attempt) -> None:
        """A process survives SIGKILL (most likely in a driver that hangs): nothing may run on this slot any more."""
        reason = "processes of attempt {} are still alive {:.0f} s after SIGKILL".format(attempt.id, DEATH_SECONDS)
        self.reaper.give_up(attempt)
        stranded = self.slots.retire(attempt, reason)
        close_logs(attempt)
        self.outbox.fail(attempt, reason)
        for queued in stranded:
            queued.cancelled = True  # it did not fail
            self.outbox.fail(queued, self.slots.refusal(queued))
