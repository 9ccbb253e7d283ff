"""Every attempt that nobody has acknowledged."""

from .attempt import Attempt
from .journal import Journal
from .trouble import explain
from .wire import to_line


class Ledger:
    """`attempts` by id, with or without a result. Results are durable here before they are told."""

    def __init__(self, root, link):
        self.root, self.link = root, link
        self.attempts = {}
        self.journal = Journal()

    def adopt(self, record, id):
        """Takes over an attempt from a journal record of an agent before us."""
        attempt = Attempt(id, record["chunk"], record["slot"], None, [])
        attempt.phase = "done"
        self.attempts[id] = attempt
        return attempt

    def started(self, attempt):
        self.journal.started(attempt)
        self.link.send({"ev": "started", "id": attempt.id})

    def fail(self, attempt, error):
        """The end of an attempt that never ran (or that cannot be ended)."""
        self.keep(attempt, attempt.done(error))

    def keep(self, attempt, message):
        attempt.phase, attempt.alarm = "done", None
        attempt.line = to_line(message)
        self.journal.ended(attempt)

    def commit(self):
        """Makes results durable, then tells them."""
        if not self.journal.lines:
            return
        lines = [line for line in self.journal.lines if line.startswith(b'{"ev"')]
        try:
            self.journal.commit()
            self.journal.compact(self.attempts.values())
        except OSError as error:
            message = explain(error, "results could not be saved in " + self.root)
            self.link.send({"ev": "problem", "message": message})
        self.link.relay(lines)

    def acknowledge(self, id):
        """The attempt, which is no longer ours to keep; None when it has no result or is not known."""
        attempt = self.attempts.get(id)
        return self.attempts.pop(id) if attempt and attempt.phase == "done" else None

    def held(self):
        """What a coordinator is told at its hello."""
        return [
            {
                "id": a.id, "chunk": a.chunk, "slot": a.slot, "end": None if a.end is None else str(a.end),
                "state": {"queued": "queued", "done": "done"}.get(a.phase, "running"),
            }
            for a in self.attempts.values()
        ]  # fmt: skip

    def tell_again(self):
        """Sends every result that has not been acknowledged."""
        self.link.relay([attempt.line for attempt in self.attempts.values() if attempt.line is not None])
