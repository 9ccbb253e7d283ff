"""Every attempt that nobody has acknowledged."""
from math import inf
from time import monotonic as now

from .attempt import Attempt
from .journal import Journal
from .launching import Launching
from .trouble import explain
from .wire import to_line

GATHER = 0.02  # seconds that news waits for more to be told with it: each telling wakes a sshd and a coordinator


class Ledger:
    """`attempts` by id, with or without a result. Results are durable here before they are told. `begun`, `ended`: attempts of
    which that has not been told, since `since`."""

    def __init__(self, root, link):
        self.root, self.link = root, link
        self.attempts = {}
        self.journal = Journal()
        self.launching = Launching()
        self.begun, self.ended, self.since = [], [], 0.0

    def adopt(self, record, id):
        """Takes over an attempt from a journal record of an agent before us."""
        attempt = Attempt(id, record["chunk"], record["slot"], None, [])
        attempt.phase = "done"
        self.attempts[id] = attempt
        return attempt

    def started(self, attempt):
        self.journal.started(attempt)
        self.gather(self.begun, attempt)

    def fail(self, attempt, error):
        """The end of an attempt that never ran (or that cannot be ended)."""
        self.keep(attempt, attempt.done(error))

    def keep(self, attempt, message):
        attempt.phase, attempt.alarm = "done", None
        attempt.line = to_line(message)
        self.gather(self.ended, attempt)

    def gather(self, news, attempt):
        if not self.begun and not self.ended:
            self.since = now()
        news.append(attempt)

    def due(self):
        """When news should be told at the latest."""
        return self.since + GATHER if self.begun or self.ended else inf

    def commit(self, hurry=True):
        """Writes down what has begun. News that is due, or all of it in a `hurry`, is made durable, then told. False when that
        could not be saved."""
        saved = True
        told = hurry or now() >= self.due()
        begun, ended = (self.begun, self.ended) if told else ([], [])
        for attempt in ended:
            self.journal.ended(attempt)
        try:
            self.journal.commit()
            self.launching.clear()
            self.journal.compact(self.attempts.values())
        except OSError as error:
            message = explain(error, "results could not be saved in " + self.root)
            self.link.problem(message)
            saved = False
        if told:
            self.begun, self.ended = [], []
        for attempt in begun:
            if attempt.line is None:  # else its result says it
                self.link.send({"ev": "started", "id": attempt.id})
        self.link.relay([attempt.line for attempt in ended])
        return saved

    def acknowledge(self, id):
        """The attempt, which is no longer ours to keep; None when it has no result or is not known."""
        attempt = self.attempts.get(id)
        return self.attempts.pop(id) if attempt and attempt.phase == "done" else None

    def held(self):
        """What a coordinator is told at its hello."""
        return [held(attempt) for attempt in self.attempts.values()]

    def tell_again(self):
        """Sends every result that has not been acknowledged."""
        self.commit()
        self.link.relay([attempt.line for attempt in self.attempts.values() if attempt.line is not None])


def held(attempt):
    """An attempt as the hello has it."""
    entry = {
        "id": attempt.id, "chunk": attempt.chunk, "slot": attempt.slot,
        "end": None if attempt.end is None else str(attempt.end),
        "state": {"queued": "queued", "done": "done"}.get(attempt.phase, "running"),
    }  # fmt: skip
    if attempt.agent_died:
        entry["agentDied"] = True
    return entry
