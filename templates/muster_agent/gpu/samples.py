"""Prints how busy the GPUs of this node are, every few seconds. It changes nothing, and no daemon learns of it."""
from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
from time import monotonic as now

from ..wire import clip, encode_line
from .card_figures import UNKNOWN_FIELD, nvidia_command, parse_nvidia_row, read_amd_figures
from .cards import leave_out_integrated, list_bus, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from .card_figures import Figures

FIRST_SECONDS = 2.0  # for which the first line waits until every GPU has answered
TOOL_FOLDERS = ("/usr/local/bin", "/usr/local/nvidia/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
NVIDIA_DEVICE = "/dev/nvidiactl"  # also where a sandbox shows an empty PCI bus


def print_samples(interval: float) -> None:
    """Prints lines of JSON (fleet/gpus/gpusample.ts) until stdin ends. A GPU that does not answer holds up none of the others: its
    figures grow older."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    cards = [AmdCard(pci, interval) for pci in leave_out_integrated("amd", list_bus("amd"))]
    has_nvidia = bool(list_bus("nvidia")) or os.path.exists(NVIDIA_DEVICE)
    tool = NvidiaTool(interval) if has_nvidia else None
    deadline = now() + FIRST_SECONDS
    for source in cards + ([tool] if tool else []):
        source.has_answered.wait(max(0.0, deadline - now()))
    while True:
        gpus = [card.figures() for card in cards] + (tool.figures() if tool else [])
        line = {"ev": "sample", "load": os.getloadavg()[0], "memory": read_memory(), "gpus": gpus}
        if tool and tool.problem:
            line["problem"] = tool.problem
        sys.stdout.buffer.write(encode_line(line))
        sys.stdout.buffer.flush()
        if select.select([0], [], [], interval)[0] and not os.read(0, 4096):
            break
    if tool:
        tool.stop()
    os._exit(0)  # a thread may wait forever for the driver of a sick GPU


def read_memory() -> dict[str, int] | None:
    """Bytes of this node's main memory."""
    fields = dict(re.findall(r"^(MemTotal|MemAvailable): *(\d+) kB$", read_file("/proc/meminfo"), re.M))
    return {"total": int(fields["MemTotal"]) << 10, "available": int(fields["MemAvailable"]) << 10} if len(fields) == 2 else None


class Source:
    """A thread that looks again and again, at `look`. `has_answered`: once, at least."""

    def __init__(self, interval: float, look: Callable[[], None]):
        self.interval, self.look = interval, look
        self.has_answered = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        pause = threading.Event()
        while True:
            self.look()
            self.has_answered.set()
            pause.wait(self.interval)


class AmdCard(Source):
    def __init__(self, pci: str, interval: float):
        self.pci = pci
        self.last: Figures = {}
        self.looked_at = now()
        super().__init__(interval, self.read)

    def read(self) -> None:
        self.last = read_amd_figures(self.pci)
        self.looked_at = now()

    def figures(self) -> Figures:
        return {"pci": self.pci, "vendor": "amd", "age": round(now() - self.looked_at, 1), **self.last}


class NvidiaTool(Source):
    """Parses the output of one process of nvidia-smi."""

    def __init__(self, interval: float):
        self.rows: dict[str, tuple[float, Figures]] = {}
        self.problem: str | None = None
        self.child: subprocess.Popen[str] | None = None
        self.has_all_fields = True
        super().__init__(interval, self.follow)

    def follow(self) -> None:
        """Starts the tool, and reads until it ends. One that does not know all fields is started again with fewer."""
        had_all_fields = self.has_all_fields
        self.run_tool()
        if self.has_all_fields != had_all_fields:
            self.problem = None
            self.run_tool()

    def run_tool(self) -> None:
        path = os.pathsep.join([os.environ.get("PATH", ""), *TOOL_FOLDERS])
        pipe = subprocess.PIPE
        try:
            self.child = subprocess.Popen(
                nvidia_command(self.has_all_fields, self.interval), stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT,
                env={**os.environ, "PATH": path}, start_new_session=True, universal_newlines=True, errors="replace",
            )  # fmt: skip
        except OSError as error:
            self.problem = "nvidia-smi cannot be started: {}".format(error.strerror)
            return
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.read(line.strip())
        self.child.wait()

    def read(self, line: str) -> None:
        row = parse_nvidia_row(line)
        if row is None:
            self.has_all_fields = self.has_all_fields and not UNKNOWN_FIELD.search(line)
            self.problem = clip(line) if line else self.problem
            return
        pci, figures = row
        self.rows[pci] = (now(), figures)
        self.problem = None
        self.has_answered.set()

    def figures(self) -> list[Figures]:
        rows = sorted(self.rows.items())
        return [{"pci": pci, "vendor": "nvidia", "age": round(now() - seen_at, 1), **figures} for pci, (seen_at, figures) in rows]

    def stop(self) -> None:
        if self.child is not None and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
