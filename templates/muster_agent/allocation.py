"""The allocation of a batch system whose batch script this agent is: it ends, and tells so with SIGTERM."""
from __future__ import annotations

import signal
from math import inf
from time import monotonic as now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .attempts.attempt import Attempt
    from .attempts.slots import SlotPool
    from .attempts.termination import Termination
    from .connection.server import Server
    from .shutdown import Shutdown
    from .storage.outbox import Outbox

REASON = "its allocation ends"
EARLY_SECONDS = 90.0  # Slurm looks at time limits once a minute, so its warning may come that much before it is due
LAST_SECONDS = 15.0  # before the end of the warning: for the folder to be removed
KILL_MARGIN_SECONDS = 3.0  # before SIGKILL
UNATTACHED_SECONDS = 3.0  # for a coordinator to attach again, where there is something for it to collect,
WARNED_UNATTACHED_SECONDS = 30.0  # and where the batch system has given a warning
HOLD_SECONDS = 0.5  # scancel sends SIGTERM to all processes of an allocation, one after another


class Allocation:
    """`limit_seconds`: how long the allocation may last, from about now on. `warning_seconds`: how long before its end SIGTERM comes.
    `kill_seconds`: from SIGTERM to SIGKILL where it is ended without a warning. `workdir`: a folder that goes with it, or empty."""

    def __init__(self, workdir: str, limit_seconds: float, warning_seconds: float, kill_seconds: float):
        self.workdir, self.warning_seconds, self.kill_seconds = workdir, warning_seconds, kill_seconds
        self.warned_from = now() + limit_seconds - warning_seconds - EARLY_SECONDS
        self.is_warned, self.warned_at = False, 0.0
        self.ends_at = inf
        self.unattached_seconds = UNATTACHED_SECONDS
        self.held: list[tuple[float, Attempt]] = []
        signal.signal(signal.SIGTERM, self.receive_signal)  # before there is a folder that would stay

    def watch(
        self, slots: SlotPool, termination: Termination, outbox: Outbox, server: Server, shutdown: Shutdown
    ) -> None:
        """Ends attempts, then the agent, once the batch system has sent SIGTERM."""
        self.slots, self.termination, self.outbox, self.server, self.shutdown = slots, termination, outbox, server, shutdown

    def receive_signal(self, *_: object) -> None:
        if not self.is_warned:
            self.is_warned, self.warned_at = True, now()

    def due(self) -> float:
        """When to call `run_checks`, if nothing happens before."""
        if self.is_warned and self.ends_at == inf:
            return 0.0
        return min([self.ends_at, *(until for until, _ in self.held)])

    def run_checks(self, time_now: float) -> None:
        """Ends everything in the time that is left: the programs first, whose results and states the coordinator then collects."""
        if not self.is_warned:
            return
        if self.ends_at == inf:
            has_time = time_now >= self.warned_from
            left = self.warning_seconds - LAST_SECONDS if has_time else self.kill_seconds - KILL_MARGIN_SECONDS
            self.unattached_seconds = WARNED_UNATTACHED_SECONDS if has_time else UNATTACHED_SECONDS
            self.ends_at = time_now + max(left, 1.0)
            self.end_attempts()
        if not self.server.attached:
            self.ends_at = min(self.ends_at, max(self.server.last_received, self.warned_at) + self.unattached_seconds)
        is_collected = not self.slots.active and not self.held and not self.outbox.attempts
        if is_collected or time_now >= self.ends_at:
            self.server.flush()
            self.shutdown.by_lease()

    def end_attempts(self) -> None:
        for slot in self.slots.by_number.values():
            slot.broken = slot.broken or REASON
        self.slots.announce()
        for attempt in list(self.outbox.attempts.values()):
            self.termination.cancel(attempt)

    def hold_failures(self, ended: list[Attempt], time_now: float) -> list[Attempt]:
        """Those attempts that can be reported. One whose program failed is held for a moment: where the whole allocation is ended,
        SIGTERM may reach the program first, and it did not fail then."""
        candidates = self.held + [(time_now + HOLD_SECONDS, attempt) for attempt in ended]
        self.held = []
        known: list[Attempt] = []
        for until, attempt in candidates:
            is_failure = attempt.status != 0 and not attempt.cancelled and not attempt.timeout
            if is_failure and self.is_warned:
                attempt.cancelled = True
            elif is_failure and time_now < until:
                self.held.append((until, attempt))
                continue
            known.append(attempt)
        return known
