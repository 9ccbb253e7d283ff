"""The program of a build."""
from __future__ import annotations

import os
import signal
from math import inf
from time import monotonic as now

from ..attempts.logs import HolePuncher, cut_log
from ..processes.process_table import DEATH_SECONDS, RESET_SIGNALS, kill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from ..processes.reap import Reaper

ATTEMPT_MARK = b"build"  # MUSTER_ATTEMPT of its processes; no id of an attempt is like that
GRACE_SECONDS = 5.0  # between SIGTERM and SIGKILL
CHECK_SECONDS = 0.1  # between checks of the log, or for processes that were left behind
MAX_GROWING_LOG_BYTES = 16 << 20  # while it is written
MAX_LOG_BYTES = 1 << 20  # when it has ended
LOG_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class BuildProcess:
    """A running build, in a process group of its own. `then` is called once, when it and all that it started are gone, or do not
    die. `status`: of the program, as wait() returns it. `undead`: processes that do not die."""

    def __init__(self, reaper: Reaper, log_fd: int, timeout_seconds: float, then: Callable[[], object]):
        self.reaper, self.log_fd, self.then = reaper, log_fd, then
        self.hole_puncher = HolePuncher()
        self.began = now()
        self.deadline = self.began + timeout_seconds
        self.check_at = self.began + CHECK_SECONDS
        self.timed_out = self.is_killed = False
        self.pid: int | None = None
        self.status: int | None = None
        self.undead: list[int] = []
        self.is_over = False

    def start(self, path: bytes, argv: list[bytes], env: dict[bytes, bytes]) -> None:
        """Starts the program in the current folder. OSError where it cannot start."""
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, self.log_fd, 1),
            (os.POSIX_SPAWN_DUP2, self.log_fd, 2),
        ]
        try:
            pid = os.posix_spawn(path, argv, env, file_actions=actions, setsid=True, setsigmask=[], setsigdef=RESET_SIGNALS)
        except NotImplementedError:
            pid = os.posix_spawn(path, argv, env, file_actions=actions, setpgroup=0, setsigmask=[], setsigdef=RESET_SIGNALS)
        self.pid = pid
        self.reaper.tools[pid] = self.ended

    def due(self) -> float:
        return inf if self.is_over else min(self.deadline, self.check_at)

    def run_timers(self, time_now: float) -> None:
        if time_now >= self.check_at:
            self.check_at = time_now + CHECK_SECONDS
            if not self.hole_puncher.punch(self.log_fd, MAX_GROWING_LOG_BYTES):
                cut_log(self.log_fd, MAX_LOG_BYTES)
            if self.status is not None:
                self.sweep()
        if not self.is_over and time_now >= self.deadline:
            self.expire(time_now)

    def expire(self, time_now: float) -> None:
        """Takes the next step to end it: SIGTERM, SIGKILL, or giving up."""
        assert self.pid is not None
        if self.status is None and not self.is_killed:
            number = signal.SIGKILL if self.timed_out else signal.SIGTERM
            kill(self.pid, number, group=True)
            self.is_killed = self.timed_out
            self.timed_out = True
            self.deadline = time_now + (DEATH_SECONDS if self.is_killed else GRACE_SECONDS)
            return
        if self.status is None:
            self.reaper.tools.pop(self.pid, None)
            self.undead.append(self.pid)
        self.undead.extend(self.leftovers())
        self.reaper.undead.update(self.undead)
        self.finish()

    def kill(self) -> None:
        """Its result is not wanted any more."""
        self.is_killed = True
        self.deadline = now() + DEATH_SECONDS
        if self.status is None:
            kill(self.pid, signal.SIGKILL, group=True)

    def ended(self, status: int) -> None:
        """The program has ended, and its process group was killed."""
        self.status = status
        self.check_at, self.deadline = now(), now() + DEATH_SECONDS

    def sweep(self) -> None:
        """Kills what the program left behind, and finishes when nothing is left."""
        found = self.leftovers()
        for pid in found:
            kill(pid, signal.SIGKILL)
        if not found:
            self.finish()

    def leftovers(self) -> list[int]:
        """Orphans of the build, by their environment. While no attempt runs, one that cleared its environment is the build's, too."""
        orphans = self.reaper.find_orphans()
        mark = ATTEMPT_MARK.decode()
        return [pid for pid in orphans if not self.reaper.slots.active or self.reaper.table.attempt_of(pid) == mark]

    def finish(self) -> None:
        self.is_over = True
        cut_log(self.log_fd, MAX_LOG_BYTES)
        self.then()
