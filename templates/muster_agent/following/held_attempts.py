"""Reads which attempts a run has on this node, from the journal that the daemon writes (storage/journal.py)."""
from __future__ import annotations

import json
import os

from ..storage.journal import FILE_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable

    Record = Dict[str, Any]

BLOCK_BYTES = 1 << 20


class HeldAttempts:
    """`starts` and `results`: the records by attempt id. `folders`: the ids of attempts whose folder is there."""

    def __init__(self, root: str):
        self.root, self.path = root, "{}/{}".format(root, FILE_NAME)
        self.starts: dict[str, Record] = {}
        self.results: dict[str, Record] = {}
        self.folders: set[str] = set()
        self.fd: int | None = None  # of the journal; it stays open, so that it can be read to its end when it is deleted
        self.offset = 0
        self.rest = b""  # of a line that is not complete

    def look(self) -> None:
        """Reads what the daemon has written since the last look."""
        self.read_journal()
        try:
            self.folders = set(os.listdir(self.root + "/a"))
        except OSError:
            self.folders = set()

    def forget(self, ids: Iterable[str]) -> None:
        """Forgets attempts that nothing more is to be learnt about."""
        for id in ids:
            self.starts.pop(id, None)
            self.results.pop(id, None)

    def read_journal(self) -> None:
        is_new = self.find_journal()
        while self.fd is not None:
            block = os.pread(self.fd, BLOCK_BYTES, self.offset)
            self.offset += len(block)
            self.add(block)
            if not block:
                if not is_new:
                    return
                is_new = self.reopen()

    def find_journal(self) -> bool:
        """Whether the daemon has begun another file since the last look, or this is the first one."""
        try:
            state = os.stat(self.path, follow_symlinks=False)
        except OSError:
            return False
        if self.fd is None:
            return self.reopen()
        own = os.fstat(self.fd)
        if own.st_size < self.offset:
            self.offset, self.rest = own.st_size, b""  # a later daemon has cut off a line that was not complete
        return (own.st_dev, own.st_ino) != (state.st_dev, state.st_ino)

    def reopen(self) -> bool:
        """Opens the journal, to be read from its start. Returns False."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        if self.fd is not None:
            os.close(self.fd)
        self.fd, self.offset, self.rest = fd, 0, b""
        return False

    def add(self, block: bytes) -> None:
        lines = (self.rest + block).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            try:
                record = json.loads(line)
                id = record.get("start")
                if id is None:
                    self.results[record["id"]] = record
                    self.starts.setdefault(record["id"], record)
                else:
                    self.starts[id] = record
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
