"""How long a run keeps some of the locks that one attempt needs, while other runs have the rest."""
from __future__ import annotations

import random
from math import inf

FIRST_HOLD_SECONDS = 5.0
LEAVING_MARGIN_SECONDS = 5.0  # for the processes of a chunk to be gone after its grace
FIRST_PAUSE_SECONDS = 0.5  # without the random part, which is as long again at most


class PartialHold:
    """Locks are taken in one order by all runs, so that no two of them wait for one another: holding some is safe, but keeps them
    from others. So they are given back for a while when the rest does not come in time. Each time, they are kept twice as long as
    before: the chunks of others may take longer than that, and an attempt must start in the end."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """All locks are held, or none is wanted any more."""
        self.seconds = FIRST_HOLD_SECONDS
        self.give_back_at: float | None = None  # None while no lock is held in vain
        self.retry_at = 0.0

    def is_paused(self, time_now: float) -> bool:
        return time_now < self.retry_at

    def must_give_back(self, time_now: float, free_by: float = 0.0) -> bool:
        """Called while some locks are held and others are not. Begins a pause where the time is over. `free_by`: when the holder of
        one of the others has promised to leave it, because this run has a higher priority; 0 where it has not."""
        if self.give_back_at is None:
            self.give_back_at = time_now + self.seconds
        if free_by > 0:
            self.give_back_at = max(self.give_back_at, free_by + LEAVING_MARGIN_SECONDS)
        if time_now < self.give_back_at:
            return False
        self.seconds *= 2
        self.pause(time_now)
        return True

    def pause(self, time_now: float) -> None:
        """Takes no lock for a moment, so that others can: of two runs that give back at once, one comes first."""
        self.give_back_at = None
        self.retry_at = time_now + FIRST_PAUSE_SECONDS * (1 + random.random())

    def due(self, time_now: float) -> float:
        """When to look again."""
        if self.give_back_at is not None:
            return self.give_back_at
        return self.retry_at if self.is_paused(time_now) else inf
