"""Slots: what runs one attempt at a time, and the queue of those that may start."""
from __future__ import annotations

from collections import deque
from math import inf
from time import monotonic as now

from ..locks.lock_name import slot_lock_name
from ..locks.node_lock import RETRY_SECONDS, NodeLock
from ..locks.permits import Permits
from ..wire import env_to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors
    from typing import Any, Callable, Deque

    from ..connection.server import Server
    from ..settings import Settings
    from ..wire import Message
    from .attempt import Attempt
    from .warm_worker import WarmWorker


class Slot:
    """Runs its attempts in the order in which they came."""

    def __init__(self, number: int):
        self.number = number
        self.env: dict[bytes, bytes] = {}
        self.gpu: int | None = None
        self.lock: NodeLock | None = None
        self.is_cpu = False  # whether the lock is a CPU slot's
        self.queue: Deque[Attempt] = deque()
        self.current: Attempt | None = None
        self.broken: str | None = None  # why it can no longer be used
        self.worker: WarmWorker | None = None  # the process that waits for its next attempt, or runs `current`
        self.turn = 0  # which of the two working copies of a slot with a warm worker the next attempt gets
        self.is_ready = False  # whether it is in the queue of slots that may start
        self.is_reported = False  # whether the coordinator knows that it waits for another run


class SlotPool:
    """`active`: the attempts that occupy a slot, by id."""

    def __init__(self, selector: selectors.BaseSelector, settings: Settings, boot: str, server: Server):
        self.selector, self.settings, self.boot, self.server = selector, settings, boot, server
        self.by_number: dict[int, Slot] = {}
        self.active: dict[str, Attempt] = {}
        self.ready: Deque[Slot] = deque()
        self.reported: set[str] = set()  # problems with lock files
        self.permits = Permits(selector, settings, boot, self.report_once)
        self.waiting_for_lock: list[Slot] = []
        self.waiting_for_permit: list[Slot] = []
        self.next_look = inf  # when to look whether slots that were reported, and have no work any more, are free again
        self.examined_at = 0.0  # until then GPU slots wait for the coordinator's first check of the GPUs

    def set_up(self, setups: list[Message], examine_seconds: float) -> None:
        """Takes the slots of an `open`. `examine_seconds`: how long the coordinator may take for its first check."""
        if not self.by_number:
            self.examined_at = now() + examine_seconds
        for setup in setups:
            slot = self.by_number.setdefault(setup["slot"], Slot(setup["slot"]))
            slot.env, slot.gpu = env_to_bytes(setup["env"]), setup.get("gpu")
            if slot.lock is None and setup.get("lock"):
                name = slot_lock_name(setup["lock"], self.boot)
                slot.lock = NodeLock(self.selector, self.settings, name, self.report_once)
                slot.is_cpu = name.is_cpu

    def report_once(self, message: str) -> None:
        """Reports a problem that concerns all slots, and recurs at each try, once."""
        if message not in self.reported:
            self.reported.add(message)
            self.server.report_problem(message)

    def announce(self) -> None:
        """Sends a new coordinator the state of the slots. Those that wait for another run are reported again."""
        for slot in self.by_number.values():
            if slot.broken:
                self.server.send({"ev": "broken", "slot": slot.number, "reason": slot.broken})
            slot.is_reported = False

    def refusal(self, number: int) -> str | None:
        """Why nothing can run on this slot, or None."""
        slot = self.by_number.get(number)
        if slot is None:
            return "this node has no slot {}".format(number)
        return "slot {} is out of use: {}".format(number, slot.broken) if slot.broken else None

    def enqueue(self, attempt: Attempt) -> None:
        slot = self.by_number[attempt.slot]
        slot.queue.append(attempt)
        self.make_ready(slot)

    def withdraw(self, attempt: Attempt) -> None:
        self.by_number[attempt.slot].queue.remove(attempt)

    def occupy(self, slot: Slot, attempt: Attempt) -> None:
        slot.current = attempt
        self.active[attempt.id] = attempt

    def vacate(self, attempt: Attempt) -> None:
        slot = self.by_number[attempt.slot]
        slot.current = None
        self.active.pop(attempt.id, None)
        self.release_if_due(slot)
        self.make_ready(slot)

    def retire(self, attempt: Attempt, reason: str) -> list[Attempt]:
        """Marks the slot of an attempt that cannot be killed as broken; returns the attempts that were queued there."""
        slot = self.by_number[attempt.slot]
        slot.broken, slot.worker = reason, None
        self.vacate(attempt)
        self.server.send({"ev": "broken", "slot": slot.number, "reason": reason})
        stranded = list(slot.queue)
        slot.queue.clear()
        return stranded

    def make_ready(self, slot: Slot) -> None:
        """Queues an idle slot that has work."""
        if slot.queue and slot.current is None and not slot.is_ready:
            slot.is_ready = True
            self.ready.append(slot)

    def is_full(self) -> bool:
        return self.settings.max is not None and len(self.active) >= self.settings.max

    def is_saturated(self) -> bool:
        """Whether no slot is idle, so that the coordinator has no use for results at once."""
        return self.is_full() or len(self.active) == len(self.by_number)

    def retry_times(self) -> list[float]:
        """When slots that wait for other runs should try again."""
        times = [self.next_look]
        if not self.is_full():
            times.extend(self.lock_due(slot, slot.lock) for slot in self.waiting_for_lock if slot.lock)
            times.extend(self.permits.retry_times())
        return times

    def release_all(self) -> None:
        """Releases all locks, so that no lock file is left when the agent ends."""
        self.permits.release_all()
        for slot in self.by_number.values():
            if slot.lock:
                slot.lock.release()

    def start_ready(
        self,
        start: Callable[[Slot, Attempt], object],
        admits: Callable[[Slot, Attempt], bool],
        is_fit: Callable[[Slot], bool],
    ) -> None:
        """Calls start(slot, attempt) for each slot that can start, which occupies the slot unless the attempt fails; then the next
        in its queue is tried. A slot can start where admits(slot, attempt) and, once this run has its lock, is_fit(slot); the
        permit comes last. `is_fit` is asked before each attempt."""
        self.waiting_for_lock, self.waiting_for_permit = [], []
        for _ in range(len(self.ready)):
            slot = self.ready.popleft()
            if slot.queue and not slot.broken and not self.can_start(slot, admits, is_fit):
                self.ready.append(slot)
                continue
            slot.is_ready = False
            while slot.queue and slot.current is None and not slot.broken:
                start(slot, slot.queue.popleft())
                if slot.queue and slot.current is None and not is_fit(slot):
                    break
            if not slot.broken:
                self.make_ready(slot)
            if slot.current is None:
                self.release_if_due(slot)
        self.permits.settle(len(self.active), len(self.waiting_for_permit))
        self.look_at_reported(now())

    def can_start(
        self, slot: Slot, admits: Callable[[Slot, Attempt], bool], is_fit: Callable[[Slot], bool]
    ) -> bool:
        """Whether the slot can start the next attempt of its queue. While it waits for this run's own attempts, for memory or for
        a permit, its lock is free to go to another run."""
        attempt = slot.queue[0]
        if self.is_full() or not admits(slot, attempt):
            self.release_if_due(slot)
            return False
        if attempt.is_waiting_for_paths() or not self.may_use(slot):
            return False
        if not is_fit(slot):
            if attempt.is_waiting_for_paths() and slot.lock:
                slot.lock.release()  # the run that has the paths may wait for it
            return False
        if self.has_permit(slot):
            return True
        self.waiting_for_permit.append(slot)
        self.release_if_due(slot)
        return False

    def may_use(self, slot: Slot) -> bool:
        """Whether this run has the slot's lock; reports changes to the coordinator."""
        lock = slot.lock
        if lock is None or lock.is_held:
            return True
        if now() >= self.lock_due(slot, lock) and lock.acquire():
            self.report_free(slot)
            return True
        if slot.is_cpu and lock.is_of_own_run():
            return True  # the inventory gives this run the CPU slots of both nodes
        self.waiting_for_lock.append(slot)
        self.report_waiting(slot, lock.holder())
        return False

    def lock_due(self, slot: Slot, lock: NodeLock) -> float:
        """When a slot may try for its lock."""
        return lock.retry_at if slot.is_cpu else max(self.examined_at, lock.retry_at)

    def has_permit(self, slot: Slot) -> bool:
        """Whether this run has a permit for the slot; reports changes to the coordinator."""
        if self.permits.admits(len(self.active)):
            self.report_free(slot)
            return True
        self.report_waiting(slot, self.permits.holder())
        return False

    def report_waiting(self, slot: Slot, holder: dict[str, Any] | None) -> None:
        if holder is not None and not slot.is_reported:
            slot.is_reported = True
            self.next_look = min(self.next_look, now() + RETRY_SECONDS)
            self.server.send(dict(holder, ev="slot", slot=slot.number))

    def report_free(self, slot: Slot) -> None:
        if slot.is_reported:
            slot.is_reported = False
            self.server.send({"ev": "slot", "slot": slot.number})

    def look_at_reported(self, time_now: float) -> None:
        """Reports which slots are free again, of those that were reported and whose work was withdrawn: the coordinator gives them
        none before."""
        if time_now < self.next_look:
            return
        reported = [slot for slot in self.by_number.values() if slot.is_reported]
        for slot in reported:
            is_idle = not slot.queue and slot.current is None
            if is_idle and (slot.lock is None or slot.lock.is_free(time_now)) and self.permits.are_free(time_now):
                self.report_free(slot)
        self.next_look = time_now + RETRY_SECONDS if any(slot.is_reported for slot in reported) else inf

    def must_leave(self, slot: Slot) -> bool:
        """Whether the warm worker of an idle slot must end, because the slot is due to another run or broken."""
        lock = slot.lock
        if lock is None or not lock.is_held or slot.broken:
            return slot.broken is not None
        return lock.is_due_to_others() if slot.queue else lock.is_wanted()

    def release_if_due(self, slot: Slot) -> None:
        """Releases the lock of an idle slot that has no work, or whose lock is due to another run; not while it has a warm worker."""
        if slot.worker is not None:
            return
        if slot.lock and (not slot.queue or slot.broken):
            slot.lock.release()
        elif slot.lock and slot.lock.is_held and slot.lock.is_due_to_others():
            slot.lock.hand_over()
