"""launching.ndjson: attempts whose processes are about to be started, until the journal has them."""
import json
import os

from .wire import to_line


class Launching:
    """A process may kill the agent before the turn of its loop ends in which the journal is written: the next agent learns from
    this file that it ran. OSErrors do not matter: where this cannot be written, the journal's own commit says so."""

    def __init__(self):
        self.fd = os.open("launching.ndjson", os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.is_empty = False

    def add(self, attempt):
        self.is_empty = False
        record = {"start": attempt.id, "chunk": attempt.chunk, "slot": attempt.slot, "process": attempt.process}
        try:
            os.write(self.fd, to_line(record))
        except OSError:
            pass

    def clear(self):
        if not self.is_empty:
            os.ftruncate(self.fd, 0)
            self.is_empty = True

    def read(self):
        """Records by id; a line that is not whole is passed over."""
        records = {}
        with open("launching.ndjson", "rb") as file:
            for line in file:
                try:
                    record = json.loads(line)
                    records[record["start"]] = record
                except (ValueError, KeyError, TypeError):
                    continue
        return records
