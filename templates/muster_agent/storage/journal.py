"""done.ndjson: attempts that started, and results."""
from __future__ import annotations

import json
import os

from ..wire import encode_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Collection, Dict

    from ..attempts.attempt import Attempt

    Record = Dict[str, Any]

MIN_COMPACT_BYTES = 4 << 20  # a smaller file is not worth rewriting
BLOCK_BYTES = 1 << 16
FILE_NAME = "done.ndjson"


class Journal:
    """Append-only, with group commit: one write, and one fsync where results are among the records."""

    def __init__(self, name: str = FILE_NAME):
        self.fd = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.size = self.cut_torn_line()
        self.lines: list[bytes] = []
        self.needs_sync = False

    def cut_torn_line(self) -> int:
        """Cuts off a last line that its writer did not finish, so that the next record does not continue it. Returns the size."""
        size = os.fstat(self.fd).st_size
        end = size
        while end:
            block = os.pread(self.fd, min(end, BLOCK_BYTES), max(0, end - BLOCK_BYTES))
            at = block.rfind(b"\n")
            if at >= 0:
                end = end - len(block) + at + 1
                break
            end -= len(block)
        if end < size:
            os.ftruncate(self.fd, end)
        return end

    def add_start(self, attempt: Attempt) -> None:
        self.lines.append(encode_start(attempt))

    def add_result(self, line: bytes) -> None:
        self.lines.append(line)
        self.needs_sync = True

    def commit(self) -> None:
        """Writes the added records. After an OSError none of them is in the file."""
        if not self.lines:
            return
        data, needs_sync = b"".join(self.lines), self.needs_sync
        self.lines, self.needs_sync = [], False
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self.fd, view):]  # fmt: skip
            if needs_sync:
                os.fdatasync(self.fd)
        except OSError:
            os.ftruncate(self.fd, self.size)
            raise
        self.size += len(data)

    def compact(self, attempts: Collection[Attempt]) -> None:
        """Rewrites the file with only the records of these attempts, once it is much larger than that."""
        if self.size < MIN_COMPACT_BYTES or self.size < 4 * sum(len(attempt.line or b"") for attempt in attempts):
            return
        fresh = Journal(FILE_NAME + ".new")
        try:
            fresh.rewrite(attempts)
            os.rename(FILE_NAME + ".new", FILE_NAME)
            self.fd, fresh.fd, self.size = fresh.fd, self.fd, fresh.size
        finally:
            os.close(fresh.fd)

    def rewrite(self, attempts: Collection[Attempt]) -> None:
        os.ftruncate(self.fd, 0)
        self.size = 0
        for attempt in attempts:
            if attempt.line is not None:
                self.add_result(attempt.line)
            elif attempt.pid is not None:
                self.add_start(attempt)
        self.commit()

    def read(self) -> tuple[dict[str, tuple[Record, bytes]], dict[str, Record]]:
        """By id: the results with their lines, and the starts without a result. Damaged lines are skipped."""
        results: dict[str, tuple[Record, bytes]] = {}
        starts: dict[str, Record] = {}
        with open(FILE_NAME, "rb") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if "start" in record:
                    starts[record["start"]] = record
                else:
                    results[record["id"]] = (record, line)
        return results, {id: start for id, start in starts.items() if id not in results}


def encode_start(attempt: Attempt) -> bytes:
    """The record of a start. `process` identifies the attempt's leader to a later agent."""
    record = {"start": attempt.id, "chunk": attempt.chunk, "slot": attempt.slot, "process": attempt.identity}
    return encode_line(dict(record, slots=attempt.slots) if len(attempt.slots) > 1 else record)
