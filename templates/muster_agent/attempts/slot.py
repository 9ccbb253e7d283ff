"""A slot: what runs one attempt at a time, and the attempts that wait for it."""
from __future__ import annotations

from collections import deque

from ..locks.partial_hold import PartialHold

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Deque

    from ..locks.node_lock import NodeLock
    from .attempt import Attempt
    from .warm_worker import WarmWorker


class Slot:
    """Runs its attempts in the order in which they came. An attempt that needs several slots is in the queue of each, and starts
    once it is the first in all of them; the one with the lowest number leads."""

    def __init__(self, number: int):
        self.number = number
        self.env: dict[bytes, bytes] = {}
        self.defaults: dict[bytes, bytes] = {}  # environment that an attempt's own overrides
        self.gpu: int | None = None  # its index among the cards of its vendor
        self.vendor: str | None = None
        self.lock_name: str | None = None  # as the coordinator calls it
        self.lock: NodeLock | None = None
        self.is_cpu = False  # whether the lock is a CPU slot's
        self.queue: Deque[Attempt] = deque()
        self.current: Attempt | None = None
        self.broken: str | None = None  # why it can no longer be used
        self.worker: WarmWorker | None = None  # the process that waits for its next attempt, or runs `current`
        self.turn = 0  # which of the two working copies of a slot with a warm worker the next attempt gets
        self.is_ready = False  # whether it is in the queue of slots that may start
        self.reported: dict[str, Any] | None = None  # the run that it waits for, as the coordinator was told
        self.hold = PartialHold()  # of the locks of all slots of the attempt that it leads
        self.sharers = [self]  # all slots of its GPU, which have one lock

    def leads(self) -> bool:
        """Whether it starts the first attempt of its queue."""
        return bool(self.queue) and self.queue[0].slot == self.number

    def is_shared(self) -> bool:
        """Whether another slot of its GPU has an attempt or a warm worker."""
        return any(one.current is not None or one.worker is not None for one in self.sharers if one is not self)
