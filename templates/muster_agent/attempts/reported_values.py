"""The values that programs report while they run, such as a loss after each epoch. $MUSTER_VALUES names a file in the attempt's folder to
which a program appends a line for each: "STEP VALUE". A value that is no finite number is null in messages."""
from __future__ import annotations

import os
import re
import stat
from math import inf, isfinite
from time import monotonic as now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

    from ..connection.server import Server
    from ..settings import Settings
    from .attempt import Attempt
    from .slots import SlotPool

    Value = List[Optional[float]]  # step and value

LINE = re.compile(rb"\s*\+?([0-9]{1,15})\s+([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?|[-+]?(?:nan|inf(?:inity)?))\s*\Z", re.I)
MAX_VALUES = 10_000  # of an attempt, so that `done` has room for all of them
MAX_PER_MESSAGE = 1000  # so that a message stays below the coordinator's limit of a line
MAX_READ_BYTES = 64 << 10
MAX_LAST_READS = 64  # of an attempt that has ended
CHECK_SECONDS = 1.0  # between two looks: a chunk may be stopped for what it reports
MIN_AGE_SECONDS = 1.0  # most programs end soon: their values are part of `done`
SHOWN_BYTES = 40


def values_path(folder: str) -> str:
    return folder + "/values"


class ValueLog:
    """What an attempt has reported: `values` in the order of its file, which is read up to `offset`. `sent`: how many of them the
    coordinator that is attached was sent. `fault`: what is wrong in the file, to be told once."""

    __slots__ = ("values", "offset", "sent", "fault", "is_told")

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.offset = self.sent = 0
        self.fault: str | None = None
        self.is_told = False

    def read(self, path: str) -> bool:
        """Reads what was appended since, up to MAX_READ_BYTES. Whether there was something. What has no line break yet is left."""
        data = read_regular(path, self.offset) if len(self.values) < MAX_VALUES else b""
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) == MAX_READ_BYTES:
            end = len(data)  # no program means that as a line
        for line in data[:end].splitlines():
            self.add(line)
        self.offset += end
        return end > 0

    def add(self, line: bytes) -> None:
        found = LINE.match(line[:SHOWN_BYTES * 2])
        if found is None:
            if line.strip():
                shown = line[:SHOWN_BYTES].decode("utf-8", "replace")
                self.fault = self.fault or "$MUSTER_VALUES has the line {!r}: each must be a step and a value, such as 3 0.25".format(shown)
        elif len(self.values) == MAX_VALUES:
            self.fault = self.fault or "it reports more than {} values: the first ones count".format(MAX_VALUES)
        else:
            value = float(found.group(2))
            self.values.append([int(found.group(1)), value if isfinite(value) else None])


class ValueReports:
    """Sends what running attempts report to a coordinator that asked for progress: each value once, in order. One that attaches later gets
    all of them. Those of an attempt that has ended are part of its result, too."""

    def __init__(self, settings: Settings, slots: SlotPool, server: Server):
        self.settings, self.slots, self.server = settings, slots, server
        self.next_check = 0.0

    def due(self) -> float:
        return self.next_check if self.slots.active and self.settings.progress_seconds is not None else inf

    def run_checks(self, time_now: float) -> None:
        if self.settings.progress_seconds is None or time_now < self.next_check:
            return
        self.next_check = time_now + CHECK_SECONDS
        for attempt in self.slots.active.values():
            if attempt.phase == "running" and time_now >= attempt.began + MIN_AGE_SECONDS:
                if attempt.values.read(values_path(attempt.folder)):
                    attempt.progress_at = time_now
                self.send(attempt)

    def send(self, attempt: Attempt) -> None:
        log = attempt.values
        values = log.values[log.sent : log.sent + MAX_PER_MESSAGE]
        if values:
            self.server.send({"ev": "values", "id": attempt.id, "from": log.sent, "values": values})
            log.sent += len(values)
        if log.fault is not None and not log.is_told:
            log.is_told = True
            self.server.report_problem("chunk {}: {}".format(attempt.chunk, log.fault))

    def take_last(self, attempt: Attempt, folder: str) -> None:
        """Reads what an attempt that has ended has reported and was not read yet. `folder`: of the attempt."""
        for _ in range(MAX_LAST_READS):
            if not attempt.values.read(values_path(folder)):
                break
        if attempt.values.fault is not None:
            self.send(attempt)

    def forget(self) -> None:
        """Has everything sent again, to a coordinator that has just attached."""
        for attempt in self.slots.active.values():
            attempt.values.sent = 0
        self.next_check = now()


def read_regular(path: str, offset: int) -> bytes:
    """What a regular file has from `offset` on, up to MAX_READ_BYTES; nothing where there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(fd, MAX_READ_BYTES, offset) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(fd)
