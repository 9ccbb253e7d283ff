"""launching.ndjson: attempts that are about to start, until the journal has them."""
from __future__ import annotations

import json
import os

from .journal import encode_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..attempts.attempt import Attempt
    from .journal import Record

FILE_NAME = "launching.ndjson"


class LaunchLog:
    """A program may kill the agent before the event loop commits the journal. The next agent learns from this file that the
    program ran. OSErrors are ignored here: where this file cannot be written, the commit of the journal fails, too."""

    def __init__(self) -> None:
        self.fd = os.open(FILE_NAME, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.is_empty = False

    def add(self, attempt: Attempt) -> None:
        self.is_empty = False
        try:
            os.write(self.fd, encode_start(attempt))
        except OSError:
            pass

    def clear(self) -> None:
        if not self.is_empty:
            os.ftruncate(self.fd, 0)
            self.is_empty = True

    def read(self) -> dict[str, Record]:
        """Records by id. Damaged lines are skipped."""
        records: dict[str, Record] = {}
        with open(FILE_NAME, "rb") as file:
            for line in file:
                try:
                    record = json.loads(line)
                    records[record["start"]] = record
                except (ValueError, KeyError, TypeError):
                    continue
        return records
