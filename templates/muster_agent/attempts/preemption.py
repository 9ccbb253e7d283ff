"""Ends attempts for a run of higher priority that waits for what they occupy. Only those whose program keeps a state: their chunks go on
from there, and lose little."""
from __future__ import annotations

from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..connection.server import Server
    from ..locks.lock_waiters import Waiter
    from ..state.state_saver import StateSaver
    from .attempt import Attempt
    from .slots import SlotPool
    from .termination import Termination

MIN_RUN_SECONDS = 5.0  # of an attempt, so that runs which come and go do not end one that has just begun, over and over
LOOK_SECONDS = 5.0  # between two looks for the state of an attempt that must save one first
NAME_SECONDS = 1.0  # for a run that waits to say its name
NAME_CHECK_SECONDS = 0.05


class Preemption:
    """An attempt is ended once it has run for some seconds. Where an earlier attempt of its chunk was ended and had saved nothing new, it
    is only ended once it has saved something: so of two attempts in a row that are ended, one has brought its chunk further."""

    def __init__(self, slots: SlotPool, termination: Termination, states: StateSaver, server: Server):
        self.slots, self.termination, self.states, self.server = slots, termination, states, server
        self.next_check = inf

    def due(self) -> float:
        """When to call `run_checks`, if nothing happens before."""
        return self.next_check

    def run_checks(self, time_now: float) -> None:
        self.next_check = inf
        active = sorted(self.slots.active.values(), key=lambda attempt: attempt.began, reverse=True)
        running = [one for one in active if one.phase == "running" and one.program.state is not None]
        for attempt in running:
            waiter = self.find_waiter(attempt) if attempt.phase == "running" else None
            if waiter is not None:
                self.preempt_if_due(self.find_group(attempt), waiter, time_now)
        self.free_permits(running, time_now)

    def find_waiter(self, attempt: Attempt) -> Waiter | None:
        """The run of higher priority that waits for one of its slots. Where an attempt without a state shares the GPU, the run would
        have to wait for that one."""
        slots = self.slots.slots_of(attempt)
        beside = [one.current for slot in slots for one in slot.sharers if one.current is not None]
        if any(one.program.state is None for one in beside):
            return None
        found = [slot.lock.preemptor() for slot in slots if slot.lock is not None]
        return max((one for one in found if one is not None), key=lambda one: one.priority, default=None)

    def find_group(self, attempt: Attempt) -> list[Attempt]:
        """The attempts that share its GPU, and itself: they end at the same time, because the GPU is of no use to the other run before."""
        beside = [one.current for slot in self.slots.slots_of(attempt) for one in slot.sharers]
        return [attempt] + [one for one in beside if one is not None and one is not attempt and one.phase == "running"]

    def free_permits(self, running: list[Attempt], time_now: float) -> None:
        """Ends as many attempts, the youngest first, as runs of higher priority wait for permits of `max_concurrent`."""
        wanted = [lock.preemptor() for lock in self.slots.locks.permits.held]
        waiters = [waiter for waiter in wanted if waiter is not None]
        ending = sum(1 for attempt in self.slots.active.values() if attempt.phase != "running")
        for waiter, attempt in zip(waiters[ending:], [one for one in running if one.phase == "running"]):
            self.preempt_if_due([attempt], waiter, time_now)

    def preempt_if_due(self, attempts: list[Attempt], waiter: Waiter, time_now: float) -> None:
        """Ends all of them once each may be ended."""
        due_times = [due_time(one.began, one.saves_first, one.has_saved()) for one in attempts]
        due = max(due_times)
        if waiter.name == "":
            due = max(due, time_now + NAME_CHECK_SECONDS) if time_now < waiter.since + NAME_SECONDS else inf
        if time_now >= due:
            for attempt in attempts:
                self.preempt(attempt, waiter)
            return
        self.next_check = min(self.next_check, due)
        for attempt, its_due in zip(attempts, due_times):
            if its_due == inf:
                self.states.hasten(attempt, time_now + LOOK_SECONDS)

    def preempt(self, attempt: Attempt, waiter: Waiter) -> None:
        attempt.preempted = waiter.name
        self.server.send({"ev": "preempted", "id": attempt.id, "run": waiter.name})
        for slot in self.slots.slots_of(attempt):
            if slot.lock is not None:
                slot.lock.waiters.announce_end(attempt.program.grace)
                if slot.lock.preemptor() is not None:
                    self.slots.locks.report_waiting(slot, {"holder": waiter.name})
        self.termination.evict(attempt)


def due_time(began: float, saves_first: bool, has_saved: bool) -> float:
    """When an attempt may be ended for a run of higher priority; inf while it must save its state first."""
    return inf if saves_first and not has_saved else began + MIN_RUN_SECONDS
