"""The permits of `max_concurrent`: a counting semaphore that the runs of a node share."""
from __future__ import annotations

from math import inf
from time import monotonic as now

from .lock_name import permit_lock_name
from .node_lock import RETRY_SECONDS, NodeLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors
    from typing import Any, Callable, Dict

    from ..settings import Settings

SURPLUS_SECONDS = 5.0  # until the holder of a permit is asked again from whom enough others are wanted


class Permits:
    """Each attempt at work needs one of the first `max` permits of the node; which one does not matter. A permit that no attempt
    of this run uses is released before the event loop waits, so that no run has one while it waits for something else: runs that
    hold slots wait for permits, and never the other way round, so that they cannot wait for one another in a circle. Permits
    with low numbers are taken first: a run with a smaller `max` than others then waits while they use its permits."""

    def __init__(self, selector: selectors.BaseSelector, settings: Settings, boot: str, report: Callable[[str], object]):
        self.selector, self.settings, self.boot, self.report = selector, settings, boot, report
        self.locks: list[NodeLock] = []
        self.waiting_count = 0
        self.surplus_until: dict[NodeLock, float] = {}  # permits whose holder is not asked again until then

    @property
    def usable(self) -> list[NodeLock]:
        """The permits that this run may take."""
        while len(self.locks) < (self.settings.max or 0):
            name = permit_lock_name(len(self.locks), self.boot)
            self.locks.append(NodeLock(self.selector, self.settings, name, self.report))
        return self.locks[: self.settings.max or 0]

    @property
    def held(self) -> list[NodeLock]:
        return [lock for lock in self.locks if lock.is_held]

    def admits(self, active_count: int) -> bool:
        """Whether one more attempt than `active_count` may be at work: this run has a permit that it does not use, or takes one."""
        if self.settings.max is None:
            return True
        self.hand_over_due(active_count)
        if len(self.held) > active_count:
            return True
        time_now = now()
        return time_now >= self.due() and any(lock.take(time_now) for lock in self.usable if not lock.is_held)

    def hand_over_due(self, active_count: int) -> None:
        """Hands those of the unused permits over that are due to other runs."""
        due = [lock for lock in self.held if lock.is_due_to_others()]
        for lock in due[: max(0, len(self.held) - active_count)]:
            lock.hand_over()

    def settle(self, active_count: int, waiting_count: int) -> None:
        """Releases the permits that are not used, and waits for as many as `waiting_count` attempts need."""
        if not self.locks:
            return
        self.hand_over_due(active_count)
        for lock in self.held[active_count:]:
            lock.release()
        if waiting_count > self.waiting_count:
            self.surplus_until.clear()
        is_fewer, self.waiting_count = waiting_count < self.waiting_count, waiting_count
        if waiting_count and now() >= self.due():
            self.ask_holders(now())
        elif is_fewer:
            self.close_surplus(now())

    def ask_holders(self, time_now: float) -> None:
        for lock in self.usable:
            if time_now < self.surplus_until.get(lock, 0.0):
                lock.retry_at = time_now + RETRY_SECONDS
            elif not lock.is_held:
                lock.wait(time_now)
        self.close_surplus(time_now)

    def close_surplus(self, time_now: float) -> None:
        """Stays connected to each process for as many permits as attempts wait for: it hands over each that is asked for."""
        asked: Dict[Any, int] = {}
        for lock in self.locks:
            owner = lock.query.owner
            if owner is not None:
                asked[owner] = asked.get(owner, 0) + 1
                if asked[owner] > self.waiting_count:
                    lock.query.close()
                    self.surplus_until[lock] = time_now + SURPLUS_SECONDS

    def due(self) -> float:
        """When to try for a permit again."""
        return min((lock.retry_at for lock in self.usable if not lock.is_held), default=inf)

    def retry_times(self) -> list[float]:
        """When attempts that wait for a permit should be tried again."""
        return [self.due()] if self.waiting_count else []

    def are_free(self, time_now: float) -> bool:
        """Whether no other run keeps this one from another permit. Does not wait for one."""
        return self.settings.max is None or any(lock.is_held or lock.is_free(time_now) for lock in self.usable)

    def holder(self) -> Dict[str, Any] | None:
        """Who has a permit that attempts wait for, as keys of the message `slot`; None where that is not known yet."""
        found = (lock.holder() for lock in self.usable if not lock.is_held)
        return next((one for one in found if one is not None), None)

    def release_all(self) -> None:
        for lock in self.locks:
            lock.release()
