"""One process of NVIDIA's tool that stays and repeats its query, read by the event loop."""
from __future__ import annotations

import os
import selectors
import shlex
import signal
from math import inf
from time import monotonic as now

from ..processes.process_table import kill
from ..processes.scripts import spawn_shell
from ..wire import clip
from .card_figures import UNKNOWN_FIELD, nvidia_command, parse_nvidia_row
from .vram_scripts import PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from ..processes.reap import Reaper
    from .card_figures import Figures

RETRY_SECONDS = 60.0  # until a tool that ended by itself is started again
MAX_LINE_BYTES = 4096
# The shell waits for the end of its input, which comes with the end of the agent, however that ends, and kills its group, itself
# included. It holds neither pipe of the tool, so that the agent sees when the tool ends.
SCRIPT = PATH + "{} & exec >/dev/null 2>&1; read -r _; kill -9 0"


class NvidiaWatch:
    """Calls report(address, figures) for each row that the tool prints. `problem`: what it printed last instead of rows."""

    def __init__(self, selector: selectors.BaseSelector, reaper: Reaper, report: Callable[[str, Figures], object]):
        self.selector, self.reaper, self.report = selector, reaper, report
        self.pid: int | None = None
        self.input: int | None = None  # of the shell
        self.rows: int | None = None
        self.partial_line = b""
        self.has_all_fields = True
        self.interval = 0.0
        self.retry_at = -inf
        self.problem: str | None = None

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    def start(self, interval: float) -> None:
        """Does nothing where the tool runs, or has ended by itself a moment ago."""
        if self.pid is not None or now() < self.retry_at:
            return
        self.interval = interval
        words = " ".join(shlex.quote(word) for word in nvidia_command(self.has_all_fields, interval))
        stdin, self.input = os.pipe2(os.O_CLOEXEC)
        self.rows, stdout = os.pipe2(os.O_CLOEXEC)
        self.selector.register(self.rows, selectors.EVENT_READ, self.receive)
        try:
            self.pid = spawn_shell(SCRIPT.format(words), stdin, stdout, stdout)
            self.reaper.tools[self.pid] = lambda _: None
        except OSError as error:
            self.problem = clip("nvidia-smi cannot be started: {}".format(error.strerror))
            self.tool_ended()
        finally:
            os.close(stdin)
            os.close(stdout)

    def receive(self, _: int) -> None:
        assert self.rows is not None
        data = os.read(self.rows, 1 << 16)
        if not data:
            return self.tool_ended()
        *lines, rest = (self.partial_line + data).split(b"\n")
        self.partial_line = rest[:MAX_LINE_BYTES]
        for line in lines:
            self.read(line[:MAX_LINE_BYTES].decode("utf-8", "replace").strip())

    def read(self, line: str) -> None:
        row = parse_nvidia_row(line)
        if row is not None:
            self.report(*row)
        elif UNKNOWN_FIELD.search(line) and self.has_all_fields:
            self.has_all_fields = False
            self.stop()
            self.start(self.interval)
        elif line:
            self.problem = clip(line)

    def tool_ended(self) -> None:
        self.retry_at = now() + RETRY_SECONDS
        self.stop()

    def stop(self) -> None:
        """Ends the tool, where it runs."""
        if self.pid is not None:
            kill(self.pid, signal.SIGKILL, group=True)
        if self.rows is not None:
            self.selector.unregister(self.rows)
            os.close(self.rows)
        if self.input is not None:
            os.close(self.input)
        self.pid = self.input = self.rows = None
        self.partial_line = b""
