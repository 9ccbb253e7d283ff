"""Reads a log while a program writes it, and while the agent keeps it below its size limit (attempts/logs.py)."""
from __future__ import annotations

import os

from ..attempts.logs import CUT_NOTICE_START

PIECE_BYTES = 48 << 10
RECENT_BYTES = 1024  # of what was read last: they tell where to continue in a log that was cut
MAX_TAIL_BYTES = 4 << 20  # that are searched for the last lines
BLOCK_BYTES = 64 << 10


class LogReader:
    """`offset`: of the next byte to read. `dropped`: bytes that the size limit dropped before they were read; None where their number
    is not known. The reader takes it and resets it to 0. `is_cut`: the log has become shorter, and is read on from the next look: the
    agent may be between the two steps of the cut."""

    def __init__(self, path: str, offset: int = 0):
        self.fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.offset = offset
        self.recent = b""
        self.dropped: int | None = 0
        self.is_after_hole = self.is_cut = False

    def seek_to_last_lines(self, count: int) -> None:
        """Continues at the last `count` lines that there are."""
        end = start = os.fstat(self.fd).st_size
        breaks = 0
        while start > max(0, end - MAX_TAIL_BYTES):
            at = max(0, start - BLOCK_BYTES)
            block = os.pread(self.fd, start - at, at)
            for index in range(len(block) - 1, -1, -1):
                if block[index] == 10 and at + index < end - 1:
                    breaks += 1
                    if breaks == count:
                        self.offset = at + index + 1
                        return
            start = at
        self.offset = end if count == 0 else start

    def read(self) -> bytes:
        """The next bytes, at most PIECE_BYTES; none where there are no more yet."""
        size = os.fstat(self.fd).st_size
        if self.is_cut:
            self.find_place(size)
            self.is_cut = False
        elif size < self.offset:
            self.is_cut = True
            return b""
        while True:
            start = self.skip_hole(size)
            data = os.pread(self.fd, min(PIECE_BYTES, size - start), start) if start < size else b""
            if self.skip_hole(size) == start:  # otherwise a hole was made meanwhile: these bytes are zeros
                break
        if not data:
            return b""
        self.offset = start + len(data)
        if self.is_after_hole:
            data, self.is_after_hole = data.lstrip(b"\0"), False
        if self.hole_begins_at(self.offset, size):
            data = data.rstrip(b"\0")  # a hole begins within its first block
        self.recent = (self.recent + data)[-RECENT_BYTES:]
        return data

    def skip_hole(self, size: int) -> int:
        """Moves over a hole, and returns the offset of the next byte."""
        try:
            start = min(size, max(self.offset, os.lseek(self.fd, self.offset, os.SEEK_DATA)))
        except OSError:
            return self.offset  # there is nothing more yet, or the file system knows no holes
        if start > self.offset:
            self.dropped = None if self.dropped is None else self.dropped + start - self.offset
            self.offset, self.is_after_hole = start, True
        return self.offset

    def hole_begins_at(self, offset: int, size: int) -> bool:
        try:
            return offset < size and os.lseek(self.fd, offset, os.SEEK_DATA) > offset
        except OSError:
            return False

    def find_place(self, size: int) -> None:
        """Continues after what was read last, in a log of which the agent has dropped the middle."""
        content = os.pread(self.fd, size, 0)
        at = content.rfind(self.recent) if self.recent else -1
        if at >= 0:
            self.offset = at + len(self.recent)
        else:
            self.offset, self.dropped = max(0, content.rfind(CUT_NOTICE_START)), None

    def close(self) -> None:
        os.close(self.fd)
