"""All slots of the node that this run uses, and the queue of those that may start."""
from __future__ import annotations

from collections import deque
from time import monotonic as now

from ..locks.lock_name import slot_lock_name
from ..wire import env_to_bytes
from .slot import Slot
from .slot_locks import SlotLocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors
    from typing import Callable, Deque

    from ..connection.server import Server
    from ..locks.lock_name import LockName
    from ..settings import Settings
    from ..wire import Message
    from .attempt import Attempt


class SlotPool:
    """`active`: the attempts that occupy a slot, by id."""

    def __init__(self, selector: selectors.BaseSelector, settings: Settings, boot: str, server: Server):
        self.settings, self.boot, self.server = settings, boot, server
        self.locks = SlotLocks(selector, settings, boot, server)
        self.by_number: dict[int, Slot] = {}
        self.active: dict[str, Attempt] = {}
        self.ready: Deque[Slot] = deque()

    def set_up(self, setups: list[Message], examine_seconds: float) -> None:
        """Takes the slots of an `open`. `examine_seconds`: how long the coordinator may take for its first check."""
        if not self.by_number:
            self.locks.examined_at = now() + examine_seconds
        for setup in setups:
            slot = self.by_number.setdefault(setup["slot"], Slot(setup["slot"]))
            if slot.lock_name not in (None, setup.get("lock")):
                continue  # it is another GPU's now: the coordinator stops this agent
            slot.env, slot.defaults = env_to_bytes(setup["env"]), env_to_bytes(setup.get("defaults", {}))
            slot.gpu, slot.vendor = setup.get("gpu"), setup.get("vendor")
            if slot.lock is None and setup.get("lock"):
                slot.lock_name = setup["lock"]
                self.give_lock(slot, slot_lock_name(setup["lock"], self.boot))

    def give_lock(self, slot: Slot, name: LockName) -> None:
        """A GPU that several slots share has one lock."""
        slot.is_cpu = name.is_cpu
        for other in self.by_number.values():
            if other.lock is not None and other.lock.address == name.address:
                slot.lock, slot.sharers = other.lock, other.sharers
                slot.sharers.append(slot)
                return
        slot.lock = self.locks.make(name)

    def lock_names(self) -> dict[str, str]:
        """By the numbers of the slots."""
        return {str(slot.number): slot.lock_name for slot in self.by_number.values() if slot.lock_name is not None}

    def announce(self) -> None:
        """Sends a new coordinator the state of the slots. Those that wait for another run are reported again."""
        for slot in self.by_number.values():
            if slot.broken:
                self.server.send({"ev": "broken", "slot": slot.number, "reason": slot.broken})
            slot.reported = None

    def slots_of(self, attempt: Attempt) -> list[Slot]:
        """In the order of their numbers."""
        return [self.by_number[number] for number in attempt.slots]

    def has_slots(self, attempt: Attempt) -> bool:
        return all(number in self.by_number for number in attempt.slots)

    def refusal(self, attempt: Attempt) -> str | None:
        """Why it cannot run on its slots, or None."""
        for number in attempt.slots:
            slot = self.by_number.get(number)
            if slot is None:
                return "this node has no slot {}".format(number)
            if slot.broken:
                return "slot {} is out of use: {}".format(number, slot.broken)
        return None

    def enqueue(self, attempt: Attempt) -> None:
        for slot in self.slots_of(attempt):
            slot.queue.append(attempt)
        self.make_ready(self.by_number[attempt.slot])

    def withdraw(self, attempt: Attempt) -> None:
        for slot in self.slots_of(attempt):
            slot.queue.remove(attempt)
            slot.hold.reset()
        for slot in self.slots_of(attempt):
            self.make_ready(slot)
            if slot.current is None and len(attempt.slots) > 1:
                self.locks.release_if_due(slot)

    def occupy(self, attempt: Attempt) -> None:
        for slot in self.slots_of(attempt):
            slot.current = attempt
        self.active[attempt.id] = attempt

    def vacate(self, attempt: Attempt) -> None:
        self.active.pop(attempt.id, None)
        for slot in self.slots_of(attempt):
            slot.current = None
            if slot.lock is not None and not slot.is_shared():
                slot.lock.forget_end()
            self.locks.release_if_due(slot)
            self.make_ready(slot)

    def retire(self, attempt: Attempt, reason: str) -> list[Attempt]:
        """Marks the slots of an attempt that cannot be killed as broken; returns the attempts that were queued there."""
        slots = self.slots_of(attempt)
        for slot in slots:
            slot.broken, slot.worker = reason, None
        self.vacate(attempt)
        for slot in slots:
            self.server.send({"ev": "broken", "slot": slot.number, "reason": reason})
        stranded = list({one.id: one for slot in slots for one in slot.queue}.values())
        for one in stranded:
            self.withdraw(one)
        return stranded

    def make_ready(self, slot: Slot) -> None:
        """Queues an idle slot that has work, or the idle one that leads its first attempt."""
        if not slot.queue or slot.current is not None:
            return
        lead = self.by_number[slot.queue[0].slot]
        if lead.leads() and lead.current is None and not lead.is_ready:
            lead.is_ready = True
            self.ready.append(lead)

    def is_full(self) -> bool:
        return self.settings.max is not None and len(self.active) >= self.settings.max

    def is_saturated(self) -> bool:
        """Whether no slot is idle, so that the coordinator has no use for results at once."""
        return self.is_full() or sum(len(one.slots) for one in self.active.values()) == len(self.by_number)

    def retry_times(self) -> list[float]:
        """When slots that wait for other runs should try again."""
        times = [self.locks.next_look]
        if not self.is_full():
            times.extend(self.locks.retry_times())
            times.extend(slot.hold.due(now()) for slot in self.ready)
        return times

    def release_all(self) -> None:
        """Releases all locks, so that no lock file is left when the agent ends."""
        self.locks.permits.release_all()
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
        self.locks.begin_round()
        for _ in range(len(self.ready)):
            slot = self.ready.popleft()
            if slot.leads() and not slot.broken and not self.can_start(slot, admits, is_fit):
                self.ready.append(slot)
                continue
            slot.is_ready = False
            touched = {slot.number: slot}
            while slot.leads() and slot.current is None and not slot.broken:
                attempt = slot.queue[0]
                for one in self.slots_of(attempt):
                    one.queue.popleft()
                    touched[one.number] = one
                start(slot, attempt)
                if slot.current is None and slot.leads() and (len(slot.queue[0].slots) > 1 or not is_fit(slot)):
                    break
            for one in touched.values():
                if not one.broken:
                    self.make_ready(one)
                if one.current is None:
                    self.locks.release_if_due(one)
        self.locks.permits.settle(len(self.active), len(self.locks.waiting_for_permit))
        self.locks.look_at_reported(self.by_number.values(), now())

    def can_start(
        self, slot: Slot, admits: Callable[[Slot, Attempt], bool], is_fit: Callable[[Slot], bool]
    ) -> bool:
        """Whether the slot can start the next attempt of its queue. While it waits for this run's own attempts, for memory or for
        a permit, its locks are free to go to another run."""
        attempt = slot.queue[0]
        slots = self.slots_of(attempt)
        is_next = all(one.current is None and one.queue[0] is attempt for one in slots)
        if not is_next or self.is_full() or not admits(slot, attempt):
            self.locks.release_idle(slots)
            return False
        if attempt.is_waiting_for_paths() or not self.locks.may_use_all(slot, slots):
            return False
        if not is_fit(slot):
            if attempt.is_waiting_for_paths():
                for one in slots:
                    if one.lock and not one.is_shared():
                        one.lock.release()  # the run that has the paths may wait for it
            return False
        if self.locks.has_permit(slot, len(self.active)):
            return True
        self.locks.release_idle(slots)
        return False
