"""Shell scripts for tools of the node that may hang: each in a process group of its own, killed at its deadline."""
from __future__ import annotations

import os
import signal
from math import inf
from time import monotonic as now

from ..wire import clip
from .process_table import RESET_SIGNALS, kill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict

    from .reap import Reaper

    ScriptResult = Dict[str, Any]  # `exit` (None where it has no exit code), `stdout`, `stderr`, and maybe `error`

MAX_STREAM_BYTES = 256 << 10  # of stdout, and of stderr
LOW_PRIORITY = 19  # niceness of scripts that nobody waits for: chunks come first
DEATH_SECONDS = 1.0  # how long a killed script is waited for; it rarely takes longer, and then it disturbs nothing


class ScriptRunner:
    """All script sets that are running. `null_fd`: their stdin."""

    def __init__(self, reaper: Reaper):
        self.reaper = reaper
        self.null_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self.running: set[ScriptSet] = set()

    def due(self) -> float:
        """When to call `check_deadlines`."""
        return min((scripts.deadline for scripts in self.running if scripts.deadline is not None), default=inf)

    def check_deadlines(self, time_now: float) -> None:
        for scripts in [one for one in self.running if one.deadline is not None and one.deadline <= time_now]:
            scripts.expire()


class ScriptSet:
    """Runs scripts side by side, one set at a time, and calls then(results) when all have ended. `deadline`: when those that
    have not ended are killed, and, after that, when they are no longer waited for; None while nothing runs."""

    def __init__(self, runner: ScriptRunner, niceness: int, then: Callable[[list[ScriptResult]], object]):
        self.runner, self.niceness, self.then = runner, niceness, then
        self.deadline: float | None = None
        self.timeout_seconds = 0.0
        self.results: list[ScriptResult] = []
        self.open: dict[int, tuple[ScriptResult, int, int]] = {}  # by pid, with the descriptors of stdout and stderr
        self.alive: set[int] = set()  # with those that were killed and do not die

    def start(self, scripts: list[str], timeout_seconds: float) -> None:
        """Starts the scripts, unless earlier ones of this set still run."""
        if self.deadline is not None:
            return
        self.timeout_seconds, self.deadline = timeout_seconds, now() + timeout_seconds
        self.runner.running.add(self)
        self.results = [{"exit": None, "stdout": "", "stderr": ""} for _ in scripts]
        is_hung = bool(self.alive)
        for script, result in zip(scripts, self.results):
            try:
                if is_hung:
                    raise OSError("an earlier call still hangs, though it was killed")
                self._start_script(script, result)
            except OSError as error:
                result["error"] = clip(str(error))
        self._finish_if_done()

    def _start_script(self, script: str, result: ScriptResult) -> None:
        out, err = os.memfd_create("out"), os.memfd_create("err")
        try:
            pid = spawn_shell(script, self.runner.null_fd, out, err)
        except OSError:
            os.close(out)
            os.close(err)
            raise
        self.open[pid] = result, out, err
        self.alive.add(pid)
        self.runner.reaper.tools[pid] = lambda status: self._script_ended(pid, out, err, status)
        if self.niceness:
            os.setpriority(os.PRIO_PROCESS, pid, self.niceness)

    def _script_ended(self, pid: int, out: int, err: int, status: int) -> None:
        self.alive.discard(pid)
        entry = self.open.pop(pid, None)
        if entry is not None:
            result = entry[0]
            result["exit"] = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
            result["stdout"], result["stderr"] = read_text(out), read_text(err)
        os.close(out)
        os.close(err)
        self._finish_if_done()

    def expire(self) -> None:
        """Kills what has not ended; its result is what it printed by then. What does not die is not waited for."""
        expired = [result for result, _, _ in self.open.values() if "error" not in result]
        for result in expired:
            result["error"] = "no answer within {:g} s; killed".format(self.timeout_seconds)
        for pid, (result, out, err) in self.open.items():
            kill(pid, signal.SIGKILL, group=True)
            result["stdout"], result["stderr"] = read_text(out), read_text(err)
        self.deadline = now() + DEATH_SECONDS
        if not expired:
            self.open.clear()
            self._finish_if_done()

    def _finish_if_done(self) -> None:
        if self.deadline is not None and not self.open:
            self.deadline = None
            self.runner.running.discard(self)
            self.then(self.results)


def spawn_shell(script: str, stdin: int, out: int, err: int) -> int:
    """The pid of a shell that leads a process group of its own. It can write at most 2 MiB to a stream."""
    actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((stdin, out, err))]
    argv = [b"/bin/sh", b"-c", b"ulimit -f 4096; " + os.fsencode(script)]
    try:
        return os.posix_spawn(
            argv[0], argv, os.environb, setsid=True, file_actions=actions, setsigmask=[], setsigdef=RESET_SIGNALS
        )
    except NotImplementedError:
        return os.posix_spawn(
            argv[0], argv, os.environb, setpgroup=0, file_actions=actions, setsigmask=[], setsigdef=RESET_SIGNALS
        )


def read_text(fd: int) -> str:
    return os.pread(fd, MAX_STREAM_BYTES, 0).decode("utf-8", "replace")
