"""How much of the memory of AMD's cards is taken, from a shell that stays: one for each look would cost as much as many a chunk."""
import os
import selectors
import signal
from math import inf
from time import monotonic as now

from .processes import kill
from .scripts import launch
from .vram import FILE

PATIENCE = 1.0  # seconds until a card that does not answer is left to others
LOOP = "while read -r pci; do used=; read -r used <" + FILE.format('"$pci"') + '; echo "$pci $used"; done 2>/dev/null'


class Gauge:
    """Calls tell(address, when it was asked, MiB or None where nothing tells). A card that hangs hangs the shell: then it is
    killed, and late(addresses) says for whom nothing comes any more."""

    def __init__(self, selector, reaper, tell, late):
        self.selector, self.reaper, self.tell, self.late = selector, reaper, tell, late
        self.pid = self.questions = self.answers = None
        self.asked = {}
        self.unfinished = b""

    def ask(self, pci):
        """Once at a time for a card."""
        if pci in self.asked:
            return
        self.asked[pci] = now()
        try:
            if self.pid is None:
                self.start()
            os.write(self.questions, pci.encode() + b"\n")
        except OSError:
            self.stop()

    def start(self):
        questions, self.questions = os.pipe2(os.O_CLOEXEC)
        self.answers, answers = os.pipe2(os.O_CLOEXEC)
        self.selector.register(self.answers, selectors.EVENT_READ, self.hear)
        try:
            self.pid = launch(LOOP, questions, answers, answers)
            self.reaper.tools[self.pid] = lambda _: None
        finally:
            os.close(questions)
            os.close(answers)

    def hear(self, _):
        said = os.read(self.answers, 4096)
        if not said:
            return self.stop()
        *lines, self.unfinished = (self.unfinished + said).split(b"\n")
        for line in lines:
            pci, _, used = line.decode().partition(" ")
            asked = self.asked.pop(pci, None)
            if asked is not None:
                self.tell(pci, asked, int(used) >> 20 if used.isdigit() else None)

    def due(self):
        """When `watch` should be called."""
        return min(self.asked.values(), default=inf) + PATIENCE

    def watch(self, time_now):
        if time_now >= self.due():
            self.stop()

    def stop(self):
        """The next question starts another."""
        if self.pid is not None:
            kill(self.pid, signal.SIGKILL, group=True)
        if self.answers is not None:
            self.selector.unregister(self.answers)
            os.close(self.answers)
        if self.questions is not None:
            os.close(self.questions)
        self.pid = self.questions = self.answers = None
        self.unfinished = b""
        unanswered, self.asked = list(self.asked), {}
        self.late(unanswered)
