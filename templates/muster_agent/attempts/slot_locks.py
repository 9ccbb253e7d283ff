"""The locks of slots between runs, and the permits of `max_concurrent`: what a slot needs beside its place in the queue."""
from __future__ import annotations

from math import inf
from time import monotonic as now

from ..locks.node_lock import RETRY_SECONDS, NodeLock
from ..locks.permits import Permits

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors
    from typing import Any, Collection

    from ..connection.server import Server
    from ..locks.lock_name import LockName
    from ..settings import Settings
    from .slot import Slot


class SlotLocks:
    """Takes and releases them, and reports to the coordinator which slots wait for another run."""

    def __init__(self, selector: selectors.BaseSelector, settings: Settings, boot: str, server: Server):
        self.selector, self.settings, self.server = selector, settings, server
        self.reported: set[str] = set()  # problems with lock files
        self.permits = Permits(selector, settings, boot, self.report_once)
        self.waiting_for_lock: list[Slot] = []
        self.waiting_for_permit: list[Slot] = []
        self.next_look = inf  # when to look whether slots that were reported, and have no work any more, are free again
        self.examined_at = 0.0  # until then GPU slots wait for the coordinator's first check of the GPUs

    def make(self, name: LockName) -> NodeLock:
        return NodeLock(self.selector, self.settings, name, self.report_once)

    def begin_round(self) -> None:
        """Forgets which slots waited: those that still do are tried again."""
        self.waiting_for_lock, self.waiting_for_permit = [], []

    def retry_times(self) -> list[float]:
        """When slots that wait for other runs should try again."""
        times = [self.lock_due(slot, slot.lock) for slot in self.waiting_for_lock if slot.lock]
        return times + self.permits.retry_times()

    def report_once(self, message: str) -> None:
        """Reports a problem that concerns all slots, and recurs at each try, once."""
        if message not in self.reported:
            self.reported.add(message)
            self.server.report_problem(message)

    def release_idle(self, slots: list[Slot]) -> None:
        for slot in slots:
            if slot.current is None:
                self.release_if_due(slot)

    def may_use_all(self, lead: Slot, slots: list[Slot]) -> bool:
        """Whether this run has the locks of all slots of an attempt. It waits for one only while it holds none of a higher number, as
        every run does, so no two wait for one another. Slots are numbered in the order of their cards' PCI addresses."""
        if len(slots) == 1:
            return self.may_use(lead)
        time_now = now()
        if lead.hold.is_paused(time_now):
            return False
        for at, slot in enumerate(slots):
            if not self.may_use(slot):
                self.ask_for_rest(slot, slots[at + 1 :], time_now)
                held = [one for one in slots[:at] if one.lock and one.lock.is_held]
                if any(one.lock.is_wanted_by_higher() for one in held if one.lock):
                    lead.hold.pause(time_now)
                    release_locks(slots)
                elif held and lead.hold.must_give_back(time_now, slot.lock.query.free_by if slot.lock else 0.0):
                    release_locks(slots)
                return False
        lead.hold.reset()
        return True

    def ask_for_rest(self, slot: Slot, rest: list[Slot], time_now: float) -> None:
        """Holds none of the rest while it waits for `slot`. Where the holder of that one already ends what it runs, those of the rest are
        asked, too, so that what they run ends at the same time."""
        if slot.lock is None or slot.lock.query.ending is None:
            return release_locks(rest)
        release_locks([one for one in rest if one.lock and one.lock.is_held])
        for one in rest:
            if one.lock:
                one.lock.ask(time_now)
                self.waiting_for_lock.append(one)

    def may_use(self, slot: Slot) -> bool:
        """Whether this run has the slot's lock, and may use the slot; reports changes to the coordinator."""
        lock = slot.lock
        if lock is None:
            return True
        if lock.is_held:
            if not self.is_due_as_a_whole(slot):
                return True
            self.report_waiting(slot, lock.next_holder())
            return False
        if now() >= self.lock_due(slot, lock) and lock.acquire():
            self.report_free(slot)
            return True
        if slot.is_cpu and lock.is_of_own_run():
            return True  # the inventory gives this run the CPU slots of both nodes
        self.waiting_for_lock.append(slot)
        self.report_waiting(slot, lock.holder())
        return False

    def is_due_as_a_whole(self, slot: Slot) -> bool:
        """Whether a shared GPU of this run is due to another run, so that it gets no attempt beside those that it has."""
        return slot.lock is not None and slot.lock.is_held and slot.is_shared() and slot.lock.is_due_to_others()

    def lock_due(self, slot: Slot, lock: NodeLock) -> float:
        """When a slot may try for its lock."""
        return lock.retry_at if slot.is_cpu else max(self.examined_at, lock.retry_at)

    def has_permit(self, slot: Slot, active_count: int) -> bool:
        """Whether this run has a permit for the slot beside those of `active_count` attempts; reports changes to the coordinator."""
        if self.permits.admits(active_count):
            self.report_free(slot)
            return True
        self.waiting_for_permit.append(slot)
        self.report_waiting(slot, self.permits.holder())
        return False

    def report_waiting(self, slot: Slot, holder: dict[str, Any] | None) -> None:
        if holder is not None and holder != slot.reported:
            slot.reported = holder
            self.next_look = min(self.next_look, now() + RETRY_SECONDS)
            self.server.send(dict(holder, ev="slot", slot=slot.number))

    def report_free(self, slot: Slot) -> None:
        if slot.reported is not None:
            slot.reported = None
            self.server.send({"ev": "slot", "slot": slot.number})

    def look_at_reported(self, slots: Collection[Slot], time_now: float) -> None:
        """Reports which slots are free again, of those that were reported and whose work was withdrawn: the coordinator gives them
        none before."""
        if time_now < self.next_look:
            return
        reported = [slot for slot in slots if slot.reported is not None]
        for slot in reported:
            is_idle = not slot.queue and slot.current is None
            if is_idle and self.is_free(slot, time_now) and self.permits.are_free(time_now):
                self.report_free(slot)
        self.next_look = time_now + RETRY_SECONDS if any(slot.reported is not None for slot in reported) else inf

    def is_free(self, slot: Slot, time_now: float) -> bool:
        """Whether an idle slot may be used: no other run has its lock, or is to have it next."""
        if slot.lock is None or slot.lock.is_held:
            return not self.is_due_as_a_whole(slot)
        return slot.lock.is_free(time_now)

    def must_leave(self, slot: Slot) -> bool:
        """Whether the warm worker of an idle slot must end, because the slot is due to another run or broken."""
        lock = slot.lock
        if lock is None or not lock.is_held or slot.broken:
            return slot.broken is not None
        return lock.is_due_to_others() if slot.queue else lock.is_wanted()

    def release_if_due(self, slot: Slot) -> None:
        """Releases the lock of an idle slot that has no work, or whose lock is due to another run; not while it has a warm worker, or
        another slot of its GPU is in use."""
        if slot.worker is not None or slot.is_shared():
            return
        if slot.lock and all(not one.queue or one.broken for one in slot.sharers):
            slot.lock.release()
        elif slot.lock and slot.lock.is_held and slot.lock.is_due_to_others():
            slot.lock.hand_over()


def release_locks(slots: list[Slot]) -> None:
    """Releases what is held of their locks, and no longer waits for the rest."""
    for slot in slots:
        if slot.lock:
            slot.lock.release()
