"""done.ndjson: started attempts and results."""
import json
import os

from .wire import to_line

SLACK = 4 << 20  # bytes; a smaller file is not worth rewriting
BLOCK = 1 << 16


class Journal:
    """One write and one fsync for all that ended together."""

    def __init__(self, name="done.ndjson"):
        self.fd = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.size = self.cut()
        self.lines = []
        self.durable = False

    def cut(self):
        """Cuts off a last line that its writer did not finish, so that the next one does not continue it; the size then."""
        size = os.fstat(self.fd).st_size
        end = size
        while end:
            block = os.pread(self.fd, min(end, BLOCK), max(0, end - BLOCK))
            at = block.rfind(b"\n")
            if at >= 0:
                end = end - len(block) + at + 1
                break
            end -= len(block)
        if end < size:
            os.ftruncate(self.fd, end)
        return end

    def started(self, attempt):
        """`process`: what the attempt's leader is known by, should the agent not live to see its end."""
        record = {"start": attempt.id, "chunk": attempt.chunk, "slot": attempt.slot, "process": attempt.process}
        self.lines.append(to_line(record))

    def ended(self, attempt):
        self.lines.append(attempt.line)
        self.durable = True

    def commit(self):
        """Writes what has gathered. After an OSError nothing of it is in the file."""
        if not self.lines:
            return
        data, durable = b"".join(self.lines), self.durable
        self.lines, self.durable = [], False
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self.fd, view):]  # fmt: skip
            if durable:
                os.fdatasync(self.fd)
        except OSError:
            os.ftruncate(self.fd, self.size)
            raise
        self.size += len(data)

    def compact(self, attempts):
        """Rewrites the file with what still counts, once it has grown well past that."""
        if self.size < SLACK or self.size < 4 * sum(len(attempt.line or b"") for attempt in attempts):
            return
        fresh = Journal("done.ndjson.new")
        try:
            fresh.rewrite(attempts)
            os.rename("done.ndjson.new", "done.ndjson")
            self.fd, fresh.fd, self.size = fresh.fd, self.fd, fresh.size
        finally:
            os.close(fresh.fd)

    def rewrite(self, attempts):
        """Makes these attempts all that the file tells."""
        os.ftruncate(self.fd, 0)
        self.size = 0
        for attempt in attempts:
            if attempt.line is not None:
                self.ended(attempt)
            elif attempt.pid is not None:
                self.started(attempt)
        self.commit()

    def read(self):
        """(results, starts without a result) by id; lines that a failing disk has spoilt are passed over."""
        results, starts = {}, {}
        with open("done.ndjson", "rb") as file:
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
