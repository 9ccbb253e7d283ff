"""Waits for child processes: leaders of attempts, and what they leave behind."""
from __future__ import annotations

import os
import signal
import time
from time import monotonic as now

from .process_table import DEATH_SECONDS, kill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from ..attempts.attempt import Attempt
    from ..attempts.slots import SlotPool
    from .process_table import ProcessTable


class Reaper:
    """`by_pid`: the attempts of living leaders. `strays`: processes that cleared their environment, with the ids of the attempts
    that they can belong to. `undead`: processes that do not die. `tools`: children that are no attempts, such as idle warm
    workers, each with a callback that takes its exit status."""

    def __init__(self, table: ProcessTable, slots: SlotPool):
        self.table, self.slots = table, slots
        self.by_pid: dict[int, Attempt] = {}
        self.strays: dict[int, set[str]] = {}
        self.undead: set[int] = set()
        self.tools: dict[int, Callable[[int], object]] = {}
        self.sweeping: list[Attempt] = []
        self.worker_attempts: dict[str, str] = {}  # by the id of a warm worker: the attempt that it runs, or ran last

    def watch(self, attempt: Attempt) -> None:
        assert attempt.pid is not None
        self.by_pid[attempt.pid] = attempt

    def release(self, attempt: Attempt) -> None:
        """The attempt has ended, and its leader lives on."""
        self.by_pid.pop(attempt.pid or 0, None)

    def reap(self) -> None:
        """Reaps children that have ended. A leader's group is killed first, while the zombie keeps its pid from being reused."""
        while True:
            try:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if info is None:
                return
            attempt = self.by_pid.pop(info.si_pid, None)
            tool_ended = self.tools.pop(info.si_pid, None)
            if attempt or tool_ended:
                kill(info.si_pid, signal.SIGKILL, group=True)
            _, status, usage = os.wait4(info.si_pid, 0)
            self.undead.discard(info.si_pid)
            if tool_ended:
                tool_ended(status)
            if attempt:
                attempt.was_running = attempt.phase == "running"
                attempt.seconds = now() - attempt.began
                attempt.status, attempt.rss = status, usage.ru_maxrss * 1024
                attempt.phase, attempt.deadline = "sweeping", now() + DEATH_SECONDS
                self.sweeping.append(attempt)

    def sweep(self) -> list[Attempt]:
        """Vacates the slots of attempts of which no process is left, and returns these attempts."""
        remaining: list[Attempt] = []
        ended: list[Attempt] = []
        orphans = self.find_orphans()
        for attempt in self.sweeping:
            if attempt.phase != "sweeping":
                continue
            rest = self.leftovers(attempt, orphans)
            for pid in rest:
                kill(pid, signal.SIGKILL)
            if kill(attempt.pid, signal.SIGKILL, group=True) or rest:
                remaining.append(attempt)
                continue
            attempt.phase, attempt.deadline = "ended", None
            self.slots.vacate(attempt)
            ended.append(attempt)
        self.sweeping = remaining
        return ended

    def find_orphans(self) -> set[int]:
        """Children that are neither leaders nor tools: attempts left them behind."""
        pids = self.table.children()
        if len(pids) == len(self.by_pid) + len(self.tools):
            self.strays.clear()
            return set()
        return set(pids) - self.by_pid.keys() - self.tools.keys() - self.undead

    def leftovers(self, attempt: Attempt, orphans: set[int]) -> list[int]:
        """Those of the orphans that belong to an attempt whose leader is gone, by their environment. One that cleared its
        environment belongs to the last attempt still active of those that were when it was first seen."""
        active = self.slots.active
        found: list[int] = []
        for pid in orphans:
            owner = self.worker_attempts.get(self.table.worker_of(pid) or "") or self.table.attempt_of(pid)
            if owner in active:
                candidates = {owner}
            else:
                candidates = self.strays.setdefault(pid, set(active))
                candidates &= active.keys()
            if candidates <= {attempt.id}:
                found.append(pid)
        return found

    def give_up(self, attempt: Attempt) -> None:
        """No longer waits for the processes of an attempt."""
        assert attempt.pid is not None
        self.undead.update(self.leftovers(attempt, self.find_orphans()), [attempt.pid])
        self.by_pid.pop(attempt.pid, None)

    def kill_everything(self) -> list[int]:
        """Sends SIGKILL to all attempts and waits at most DEATH_SECONDS until they are gone. Returns the processes that are not."""
        deadline = now() + DEATH_SECONDS
        while now() < deadline:
            for pid in self.by_pid:
                kill(pid, signal.SIGKILL, group=True)
            for pid in self.table.children():
                kill(pid, signal.SIGKILL)
            try:
                pid = os.waitpid(-1, os.WNOHANG)[0]
                while pid:
                    self.by_pid.pop(pid, None)
                    pid = os.waitpid(-1, os.WNOHANG)[0]
            except ChildProcessError:
                if not self.table.children():
                    return []
            time.sleep(0.005)
        return self.table.children()
