"""How far running attempts are, where their programs report it. $MUSTER_PROGRESS names a file in the attempt's folder into which a
program may write the share that is done (0.25), or how much of how much (250 1000), with a text behind that. A program that takes its units from the file
of $MUSTER_RANGE reports its progress there."""
from __future__ import annotations

import os
import re
import stat
from math import inf
from time import monotonic as now

from .range_file import read_next_unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..connection.server import Server
    from ..settings import Settings
    from ..wire import Message
    from .attempt import Attempt
    from .slots import SlotPool

NUMBER = rb"([0-9]{1,18}(?:\.[0-9]{0,18})?)"
CONTENT = re.compile(rb"\s*" + NUMBER + rb"(?:\s+" + NUMBER + rb"(?:\s+(\S[^\n]*))?)?\s*\Z")
MAX_CONTENT_BYTES = 1024
MAX_TEXT_CHARS = 200
MIN_AGE_SECONDS = 1.0  # a program that has just started has nothing to report, and most end soon
MAX_PER_MESSAGE = 100  # so that a message stays below the coordinator's limit of a line


def progress_path(folder: str) -> str:
    return folder + "/progress"


STALLED = "no progress for {:.0f} s (stall)"


class ProgressReports:
    """Looks at the files of running attempts, and sends what has changed to a coordinator that asked for it. `unsent`: whether all is
    to be sent again."""

    def __init__(self, settings: Settings, slots: SlotPool, server: Server):
        self.settings, self.slots, self.server = settings, slots, server
        self.next_check = 0.0
        self.unsent = True

    def due(self) -> float:
        active = self.slots.active.values()
        is_watching = self.settings.progress_seconds is not None or any(one.program.stall_seconds is not None for one in active)
        return self.next_check if active and is_watching else inf

    def run_checks(self, time_now: float) -> list[Attempt]:
        """Returns the attempts that make no progress for longer than their job allows."""
        interval = self.settings.progress_seconds
        if time_now < self.next_check:
            return []
        self.next_check = time_now + max(1.0, interval or 1.0)
        changed: list[Message] = []
        stalled: list[Attempt] = []
        for attempt in self.slots.active.values():
            limit = attempt.program.stall_seconds
            if attempt.phase != "running" or time_now < attempt.began + MIN_AGE_SECONDS or (interval is None and limit is None):
                continue
            report = read_progress(attempt)
            if report is not None and (report != attempt.progress or self.unsent):
                if report != attempt.progress:
                    attempt.progress, attempt.progress_at = report, time_now
                changed.append(dict(report, id=attempt.id))
            if limit is not None and time_now - max(attempt.began, attempt.progress_at) > limit:
                attempt.error = STALLED.format(limit)
                stalled.append(attempt)
        if interval is not None:
            self.send(changed)
        return stalled

    def send(self, changed: list[Message]) -> None:
        self.unsent = False
        for at in range(0, len(changed), MAX_PER_MESSAGE):
            self.server.send({"ev": "progress", "attempts": changed[at : at + MAX_PER_MESSAGE]})

    def forget(self) -> None:
        """Has everything sent again, to a coordinator that has just attached."""
        self.unsent = True
        self.next_check = now()


def read_progress(attempt: Attempt) -> Message | None:
    """What the program reports, in the form of `progress`; None where it reports nothing."""
    report = read_share(progress_path(attempt.folder))
    unit = None if report is not None and "text" not in report else read_next_unit(attempt)
    if unit is None:
        return report
    return {"next": str(unit), **({"text": report["text"]} if report else {})}


def read_share(path: str) -> Message | None:
    """The share that is done, 0 to 1, and the text beside it, if there is one."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        content = CONTENT.match(os.read(fd, MAX_CONTENT_BYTES)) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    except OSError:
        content = None
    finally:
        os.close(fd)
    if content is None:
        return None
    done, total = float(content.group(1)), float(content.group(2) or 1)
    if total == 0:
        return None
    report: Message = {"share": round(min(1.0, done / total), 4)}
    if content.group(3):
        report["text"] = content.group(3).decode("utf-8", "replace").strip()[:MAX_TEXT_CHARS]
    return report
