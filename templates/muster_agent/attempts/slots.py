"""Slots: what runs one attempt at a time, and the queue of those that may start."""
from __future__ import annotations

from collections import deque
from time import monotonic as now

from ..gpu.gpu_lock import HANDOVER_SECONDS, GpuLock
from ..wire import env_to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors
    from typing import Callable, Deque

    from ..connection.server import Server
    from ..settings import Settings
    from ..wire import Message
    from .attempt import Attempt


class Slot:
    """Runs its attempts in the order in which they came."""

    def __init__(self, number: int):
        self.number = number
        self.env: dict[bytes, bytes] = {}
        self.gpu: int | None = None
        self.lock: GpuLock | None = None
        self.queue: Deque[Attempt] = deque()
        self.current: Attempt | None = None
        self.broken: str | None = None  # why it can no longer be used
        self.is_ready = False  # whether it is in the queue of slots that may start


class SlotPool:
    """`active`: the attempts that occupy a slot, by id."""

    def __init__(self, selector: selectors.BaseSelector, settings: Settings, boot: str, server: Server):
        self.selector, self.settings, self.boot, self.server = selector, settings, boot, server
        self.by_number: dict[int, Slot] = {}
        self.active: dict[str, Attempt] = {}
        self.ready: Deque[Slot] = deque()
        self.reported: set[str] = set()  # problems with lock files
        self.examined_at = 0.0  # until then GPU slots wait for the coordinator's first check of the GPUs

    def set_up(self, setups: list[Message], examine_seconds: float) -> None:
        """Takes the slots of an `open`. `examine_seconds`: how long the coordinator may take for its first check."""
        if not self.by_number:
            self.examined_at = now() + examine_seconds
        for setup in setups:
            slot = self.by_number.setdefault(setup["slot"], Slot(setup["slot"]))
            slot.env, slot.gpu = env_to_bytes(setup["env"]), setup.get("gpu")
            if slot.lock is None and setup.get("lock"):
                slot.lock = GpuLock(self.selector, self.settings, self.boot, setup["lock"], self.report_once)

    def report_once(self, message: str) -> None:
        """Reports a problem that concerns all slots, and recurs at each try, once."""
        if message not in self.reported:
            self.reported.add(message)
            self.server.report_problem(message)

    def announce(self) -> None:
        """Tells a new coordinator the state of the slots. Those whose GPU another run has are reported again."""
        for slot in self.by_number.values():
            if slot.broken:
                self.server.send({"ev": "broken", "slot": slot.number, "reason": slot.broken})
            if slot.lock:
                slot.lock.is_reported = False

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
        slot.broken = reason
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
        """When slots that wait for a GPU should try again."""
        if self.is_full():
            return []
        locks = [slot.lock for slot in self.ready if slot.lock and not slot.lock.is_held]
        return [max(self.examined_at, lock.retry_at) for lock in locks]

    def release_all(self) -> None:
        """Releases all GPUs, so that no lock file is left when the agent ends."""
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
        in its queue is tried. `is_fit` is asked before each of them. A slot can start where admits(slot, attempt) and, once this run has its GPU, is_fit(slot)."""
        for _ in range(len(self.ready)):
            if self.is_full():
                return
            slot = self.ready.popleft()
            if slot.queue and not slot.broken and not (admits(slot, slot.queue[0]) and self.may_use(slot) and is_fit(slot)):
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

    def may_use(self, slot: Slot) -> bool:
        """Whether this run has the slot's GPU; tells the coordinator when that changes."""
        lock = slot.lock
        if lock is None or lock.is_held:
            return True
        if now() < max(self.examined_at, lock.retry_at):
            return False
        if lock.acquire():
            if lock.is_reported:
                lock.is_reported = False
                self.server.send({"ev": "slot", "slot": slot.number})
            return True
        holder = lock.holder()
        if holder is not None and not lock.is_reported:
            lock.is_reported = True
            self.server.send(dict(holder, ev="slot", slot=slot.number))
        return False

    def release_if_due(self, slot: Slot) -> None:
        """Releases the GPU of an idle slot that has no work, or whose GPU is due to another run."""
        if slot.lock and (not slot.queue or slot.broken):
            slot.lock.release()
        elif slot.lock and slot.lock.is_due_to_others():
            slot.lock.release(HANDOVER_SECONDS)
