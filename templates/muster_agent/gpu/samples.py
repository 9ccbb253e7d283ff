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
from .cards import BUS, leave_out_integrated, list_bus, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Optional, Union

    Figures = Dict[str, Optional[Union[float, bool, str]]]

FIRST_SECONDS = 2.0  # for which the first line waits until every GPU has answered
TOOL_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
FIELDS = ("utilization.gpu", "memory.used", "memory.total", "power.draw", "temperature.gpu", "clocks.sm")
NVIDIA_ROW = re.compile(r"(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]),(.*)", re.I)


def print_samples(interval: float) -> None:
    """Prints lines of JSON (fleet/gpus/gpusample.ts) until stdin ends. A GPU that does not answer holds up none of the others: its
    figures grow older."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    cards = [AmdCard(pci, interval) for pci in leave_out_integrated("amd", list_bus("amd"))]
    tool = NvidiaTool(interval) if list_bus("nvidia") else None
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


def to_number(text: str, unit: float = 1) -> float | None:
    """None for what is no number, such as [N/A]."""
    try:
        return round(float(text) * unit, 3)
    except ValueError:
        return None


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
    """Reads the files of the kernel's driver. A card that sleeps is left asleep."""

    def __init__(self, pci: str, interval: float):
        self.pci, self.folder = pci, BUS + pci + "/"
        self.last: Figures = {}
        self.looked_at = now()
        super().__init__(interval, self.read)

    def read(self) -> None:
        if read_file(self.folder + "power/runtime_status") == "suspended":
            self.last = {"asleep": True}
        else:
            sensors = self.find_sensors()
            self.last = {
                "busy": to_number(read_file(self.folder + "gpu_busy_percent")),
                "used": to_number(read_file(self.folder + "mem_info_vram_used")),
                "total": to_number(read_file(self.folder + "mem_info_vram_total")),
                "watts": to_number(read_file(sensors + "power1_average") or read_file(sensors + "power1_input"), 1e-6),
                "celsius": to_number(read_file(sensors + "temp1_input"), 1e-3),
                "mhz": to_number(read_file(sensors + "freq1_input"), 1e-6),
            }
        self.looked_at = now()

    def find_sensors(self) -> str:
        try:
            return self.folder + "hwmon/" + min(os.listdir(self.folder + "hwmon")) + "/"
        except (OSError, ValueError):
            return self.folder + "hwmon/"

    def figures(self) -> Figures:
        return {"pci": self.pci, "vendor": "amd", "age": round(now() - self.looked_at, 1), **self.last}


class NvidiaTool(Source):
    """Parses the output of one process of nvidia-smi that repeats its query: a new process for each query would cost more."""

    def __init__(self, interval: float):
        self.rows: dict[str, tuple[float, Figures]] = {}
        self.problem: str | None = None
        self.child: subprocess.Popen[str] | None = None
        self.seconds = "{}".format(max(1, round(interval)))
        super().__init__(interval, self.follow)

    def follow(self) -> None:
        """Starts the tool, and reads until it ends."""
        query = "--query-gpu=pci.bus_id," + ",".join(FIELDS)
        words = ["nvidia-smi", query, "--format=csv,noheader,nounits", "-l", self.seconds]
        path = os.pathsep.join([os.environ.get("PATH", ""), *TOOL_FOLDERS])
        pipe = subprocess.PIPE
        try:
            self.child = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, env={**os.environ, "PATH": path},
                start_new_session=True, universal_newlines=True, errors="replace",
            )  # fmt: skip
        except OSError as error:
            self.problem = "nvidia-smi cannot be started: {}".format(error.strerror)
            return
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.read(line.strip())
        self.child.wait()

    def read(self, line: str) -> None:
        row = NVIDIA_ROW.match(line)
        cells = [to_number(cell) for cell in row.group(2).split(",")] if row else []
        if row is None or len(cells) != len(FIELDS):
            self.problem = clip(line) if line else self.problem
            return
        busy, used, total, watts, celsius, mhz = cells
        bytes_of = lambda mib: None if mib is None else mib * (1 << 20)  # noqa: E731
        figures: Figures = {"busy": busy, "used": bytes_of(used), "total": bytes_of(total), "watts": watts, "celsius": celsius, "mhz": mhz}
        self.rows[row.group(1).lower()] = (now(), figures)
        self.problem = None
        self.has_answered.set()

    def figures(self) -> list[Figures]:
        rows = sorted(self.rows.items())
        return [{"pci": pci, "vendor": "nvidia", "age": round(now() - seen_at, 1), **figures} for pci, (seen_at, figures) in rows]

    def stop(self) -> None:
        if self.child is not None and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
