"""Reads how much memory of AMD's GPUs is used, through a shell that keeps running: one process a query would cost as much as
many a chunk."""
from __future__ import annotations

import os
import selectors
import signal
from math import inf
from time import monotonic as now

from ..processes.process_table import kill
from ..processes.scripts import spawn_shell
from .vram_scripts import AMD_USED_FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from ..processes.reap import Reaper

TIMEOUT_SECONDS = 1.0  # until a GPU that does not answer is queried by a process of its own
LOOP = "while read -r pci; do used=; read -r used <" + AMD_USED_FILE.format('"$pci"') + '; echo "$pci $used"; done 2>/dev/null'


class VramShell:
    """Calls report(address, when it was asked, MiB or None where nothing can be read). A GPU whose driver hangs blocks the shell:
    then the shell is killed, and timed_out(addresses) names the GPUs that got no answer."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        reaper: Reaper,
        report: Callable[[str, float, int | None], object],
        timed_out: Callable[[list[str]], object],
    ):
        self.selector, self.reaper, self.report, self.timed_out = selector, reaper, report, timed_out
        self.pid: int | None = None
        self.questions: int | None = None  # the descriptor that addresses are written to,
        self.answers: int | None = None  # and the one that answers are read from
        self.asked: dict[str, float] = {}
        self.partial_line = b""

    def ask(self, pci: str) -> None:
        """Does nothing while a question about this GPU is open."""
        if pci in self.asked:
            return
        self.asked[pci] = now()
        try:
            questions = self.start() if self.pid is None or self.questions is None else self.questions
            os.write(questions, pci.encode() + b"\n")
        except OSError:
            self.stop()

    def start(self) -> int:
        """Starts the shell; the descriptor for questions."""
        stdin, self.questions = os.pipe2(os.O_CLOEXEC)
        self.answers, stdout = os.pipe2(os.O_CLOEXEC)
        self.selector.register(self.answers, selectors.EVENT_READ, self.receive)
        try:
            self.pid = spawn_shell(LOOP, stdin, stdout, stdout)
            self.reaper.tools[self.pid] = lambda _: None
        finally:
            os.close(stdin)
            os.close(stdout)
        return self.questions

    def receive(self, _: int) -> None:
        assert self.answers is not None
        data = os.read(self.answers, 4096)
        if not data:
            return self.stop()
        *lines, self.partial_line = (self.partial_line + data).split(b"\n")
        for line in lines:
            pci, _space, used = line.decode().partition(" ")
            asked = self.asked.pop(pci, None)
            if asked is not None:
                self.report(pci, asked, int(used) >> 20 if used.isdigit() else None)

    def due(self) -> float:
        """When to call `check_deadline`."""
        return min(self.asked.values(), default=inf) + TIMEOUT_SECONDS

    def check_deadline(self, time_now: float) -> None:
        if time_now >= self.due():
            self.stop()

    def stop(self) -> None:
        """Kills the shell; the next question starts another."""
        if self.pid is not None:
            kill(self.pid, signal.SIGKILL, group=True)
        if self.answers is not None:
            self.selector.unregister(self.answers)
            os.close(self.answers)
        if self.questions is not None:
            os.close(self.questions)
        self.pid = self.questions = self.answers = None
        self.partial_line = b""
        unanswered, self.asked = list(self.asked), {}
        self.timed_out(unanswered)
