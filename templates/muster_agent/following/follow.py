"""Sends what attempts print, while they run. It changes nothing, and the daemon does not learn of it."""
from __future__ import annotations

import base64
import os
import select
import signal
import sys

from ..access.guard import check_run_folder
from ..wire import clip, encode_line
from .held_attempts import HeldAttempts
from .log_reader import LogReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wire import Message
    from .held_attempts import Record

POLL_SECONDS, IDLE_POLL_SECONDS = 0.1, 0.5  # between two looks: where attempts are followed, and where none is
PIECES = 16  # of one log in a row, before the others get their turn


def follow(root: str, selection: Record) -> None:
    """Prints lines of JSON (executor/run/follow/followmessages.ts) until stdin ends. `selection`: `streams`, of `out` and `err`;
    `chunk`, where only one is asked for, and `isPrefix`, where its id only begins so; `tail`, the number of lines to begin with;
    `resume`, by attempt the offsets to continue from."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if os.path.isdir(root):
        check_run_folder(root)
    follower = Follower(root, selection)
    while True:
        follower.look()
        pause = POLL_SECONDS if follower.followed else IDLE_POLL_SECONDS
        if select.select([0], [], [], 0 if follower.has_more else pause)[0] and not os.read(0, 4096):
            return


class Follower:
    """Follows the attempts that are selected. `has_more`: whether some log has more to read at once."""

    def __init__(self, root: str, selection: Record):
        self.root, self.selection = root, selection
        self.held = HeldAttempts(root)
        self.followed: dict[str, FollowedAttempt] = {}
        self.ended: set[str] = set()
        self.has_more = False
        self.reported: list[str] | None = None

    def look(self) -> None:
        held = self.held
        held.look()
        for id, start in list(held.starts.items()):
            if id not in self.followed and id not in self.ended and self.is_selected(start):
                self.begin(id, start)
        self.report_running()
        self.has_more = False
        for id, attempt in list(self.followed.items()):
            is_over = id in held.results or id not in held.folders  # its logs are final, and stay readable
            if attempt.send_new() or attempt.waits_for_cut or not is_over:
                self.has_more = self.has_more or attempt.has_more
            else:
                self.end(id)
        self.report_running()
        held.forget([id for id in held.starts if id not in held.folders and id not in self.followed])
        self.ended &= held.folders

    def is_selected(self, start: Record) -> bool:
        wanted, chunk = self.selection.get("chunk"), start.get("chunk")
        if wanted is None or not isinstance(chunk, str):
            return wanted is None
        return chunk.startswith(wanted) if self.selection.get("isPrefix") else chunk == wanted

    def begin(self, id: str, start: Record) -> None:
        is_first_look = self.reported is None
        try:
            attempt = FollowedAttempt(self.root, id, self.selection)
        except OSError:
            if id not in self.held.folders and id in self.held.results and not is_first_look:
                self.send_ended(id, start)  # it has ended since the last look
            return
        attempt.seek(self.selection.get("tail") if is_first_look else None)
        self.followed[id] = attempt
        send({"ev": "begin", "id": id, "chunk": start["chunk"], "slot": start["slot"]})

    def send_ended(self, id: str, start: Record) -> None:
        """Sends the logs of an attempt whose folder is gone: short ones are a part of its result."""
        send({"ev": "begin", "id": id, "chunk": start["chunk"], "slot": start["slot"]})
        reports = {stream: self.held.results[id].get("std" + stream) or {} for stream in self.selection["streams"]}
        is_whole = all("data" in report or not report.get("size") for report in reports.values())
        for stream, report in reports.items() if is_whole else ():
            if report.get("data"):
                send({"ev": "log", "id": id, "stream": stream, "next": report["size"], "data": report["data"]})
        self.send_end(id, is_whole)

    def end(self, id: str) -> None:
        self.followed.pop(id).close()
        self.ended.add(id)
        self.send_end(id, True)

    def send_end(self, id: str, is_whole: bool) -> None:
        result = self.held.results.get(id)
        ending: Message = {"ev": "end", "id": id, "whole": is_whole}
        if result is not None:
            ending["exit"], ending["signal"] = result.get("exit"), result.get("signal")
            for key in ("timeout", "cancelled"):
                ending[key] = result.get(key) is True
            fault = result.get("error") or ("an output is missing" if result.get("missing") else None)
            if fault is not None:
                ending["fault"] = clip(str(fault))
        send(ending)

    def report_running(self) -> None:
        """Sends the ids of the attempts that are followed, where they have changed, and first of all."""
        ids = sorted(self.followed)
        if ids != self.reported:
            self.reported = ids
            send({"ev": "following", "ids": ids})


class FollowedAttempt:
    """The logs of an attempt, open: they can be read to their end though their folder is deleted."""

    def __init__(self, root: str, id: str, selection: Record):
        self.id = id
        self.readers: dict[str, LogReader] = {}
        self.has_more = False
        offsets = selection.get("resume", {}).get(id, {})
        self.is_resumed = bool(offsets)
        try:
            for stream in selection["streams"]:
                path = "{}/a/{}/{}".format(root, id, stream)
                self.readers[stream] = LogReader(path, offsets.get(stream, 0))
        except OSError:
            self.close()
            raise

    def seek(self, tail: int | None) -> None:
        for reader in self.readers.values() if tail is not None and not self.is_resumed else ():
            reader.seek_to_last_lines(tail or 0)

    @property
    def waits_for_cut(self) -> bool:
        return any(reader.is_cut for reader in self.readers.values())

    def send_new(self) -> bool:
        """Sends what is new. Whether there was something."""
        has_sent = False
        self.has_more = False
        for stream, reader in self.readers.items():
            for _ in range(PIECES):
                data = reader.read()
                if reader.dropped != 0:
                    send({"ev": "dropped", "id": self.id, "stream": stream, "bytes": reader.dropped})
                    reader.dropped = 0
                if not data:
                    break
                has_sent = True
                text = base64.b64encode(data).decode()
                send({"ev": "log", "id": self.id, "stream": stream, "next": reader.offset, "data": text})
            else:
                self.has_more = True
        return has_sent

    def close(self) -> None:
        for reader in self.readers.values():
            reader.close()


def send(message: Message) -> None:
    sys.stdout.buffer.write(encode_line(message))
    sys.stdout.buffer.flush()
