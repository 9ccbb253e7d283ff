"""The ends of processes: leaders, and what they leave behind."""
import os
import signal
import time
from time import monotonic as now

from .processes import DEATH_SECONDS, kill


class Reaper:
    """`by_pid`: living leaders. `strays`: processes that cleared their environment, with the attempts they can belong to.
    `undead`: processes that do not die. `tools`: children that are no attempts, and what to call with their status."""

    def __init__(self, processes, slots):
        self.processes, self.slots = processes, slots
        self.by_pid, self.strays, self.undead, self.tools = {}, {}, set(), {}
        self.sweeping = []

    def watch(self, attempt):
        self.by_pid[attempt.pid] = attempt

    def reap(self):
        """Takes the ended children. A leader's group is killed while its zombie still keeps the number from being reused."""
        while True:
            try:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if info is None:
                return
            attempt = self.by_pid.pop(info.si_pid, None)
            ended = self.tools.pop(info.si_pid, None)
            if attempt or ended:
                kill(info.si_pid, signal.SIGKILL, group=True)
            _, status, usage = os.wait4(info.si_pid, 0)
            self.undead.discard(info.si_pid)
            if ended:
                ended(status)
            if attempt:
                attempt.seconds = now() - attempt.began
                attempt.status, attempt.rss = status, usage.ru_maxrss * 1024
                attempt.phase, attempt.alarm = "sweeping", now() + DEATH_SECONDS
                self.sweeping.append(attempt)

    def sweep(self):
        """Lets go of attempts of which no process is left, and answers with them."""
        remaining, ended = [], []
        strangers = self.strangers()
        for attempt in self.sweeping:
            if attempt.phase != "sweeping":
                continue
            rest = self.leftovers(attempt, strangers)
            for pid in rest:
                kill(pid, signal.SIGKILL)
            if kill(attempt.pid, signal.SIGKILL, group=True) or rest:
                remaining.append(attempt)
                continue
            attempt.phase, attempt.alarm = "ended", None
            self.slots.vacate(attempt)
            ended.append(attempt)
        self.sweeping = remaining
        return ended

    def strangers(self):
        """Children that are neither leaders nor tools: what attempts have left behind."""
        pids = self.processes.children()
        if len(pids) == len(self.by_pid) + len(self.tools):
            self.strays.clear()
            return set()
        return set(pids) - self.by_pid.keys() - self.tools.keys() - self.undead

    def leftovers(self, attempt, strangers):
        """Processes of an attempt whose leader is gone: by their environment; those that cleared it belong to the last
        attempt that was active when they were first seen."""
        active = self.slots.active
        found = []
        for pid in strangers:
            owner = self.processes.attempt_of(pid)
            if owner in active:
                witnesses = {owner}
            else:
                witnesses = self.strays.setdefault(pid, set(active))
                witnesses &= active.keys()
            if witnesses <= {attempt.id}:
                found.append(pid)
        return found

    def give_up(self, attempt):
        """Expects no end of it any more."""
        self.undead.update(self.leftovers(attempt, self.strangers()), [attempt.pid])
        self.by_pid.pop(attempt.pid, None)

    def kill_everything(self):
        """KILLs all attempts and waits (at most DEATH_SECONDS) until no process of them is left; answers with those that are."""
        deadline = now() + DEATH_SECONDS
        while now() < deadline:
            for pid in self.by_pid:
                kill(pid, signal.SIGKILL, group=True)
            for pid in self.processes.children():
                kill(pid, signal.SIGKILL)
            try:
                pid = os.waitpid(-1, os.WNOHANG)[0]
                while pid:
                    self.by_pid.pop(pid, None)
                    pid = os.waitpid(-1, os.WNOHANG)[0]
            except ChildProcessError:
                if not self.processes.children():
                    return []
            time.sleep(0.005)
        return self.processes.children()
