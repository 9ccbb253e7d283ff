"""The attempts that no coordinator has acknowledged, and the messages about them that are still to be sent."""
from __future__ import annotations

from math import inf
from time import monotonic as now

from ..attempts.attempt import Attempt
from ..errors import describe_error
from ..wire import encode_line
from .journal import Journal
from .launch_log import LaunchLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..connection.server import Server
    from ..wire import Message
    from .journal import Record

BATCH_SECONDS = 0.02  # that messages wait to be sent together: each batch wakes sshd and a coordinator


class Outbox:
    """`attempts`: by id, with or without a result. A result is on disk before it is sent. `begun` and `ended`: attempts whose
    start or end is still to be sent; `waiting_since`: when the first of them was added."""

    def __init__(self, root: str, server: Server):
        self.root, self.server = root, server
        self.attempts: dict[str, Attempt] = {}
        self.journal = Journal()
        self.launch_log = LaunchLog()
        self.begun: list[Attempt] = []
        self.ended: list[Attempt] = []
        self.waiting_since = 0.0

    def adopt(self, record: Record, id: str) -> Attempt:
        """Takes an attempt over from the journal of an earlier agent."""
        attempt = Attempt(id, record["chunk"], record["slot"], None, [], {"slots": record.get("slots")})
        attempt.phase = "done"
        self.attempts[id] = attempt
        return attempt

    def add_start(self, attempt: Attempt) -> None:
        self.journal.add_start(attempt)
        self._queue(self.begun, attempt)

    def fail(self, attempt: Attempt, error: str | None) -> None:
        """Adds the result of an attempt that never ran, or that cannot be killed."""
        self.keep(attempt, attempt.result_message(error))

    def keep(self, attempt: Attempt, message: Message) -> None:
        """Adds a result."""
        attempt.phase, attempt.deadline = "done", None
        attempt.line = encode_line(message)
        self._queue(self.ended, attempt)

    def _queue(self, attempts: list[Attempt], attempt: Attempt) -> None:
        if not self.begun and not self.ended:
            self.waiting_since = now()
        attempts.append(attempt)

    def due(self) -> float:
        """When messages must be sent at the latest."""
        return self.waiting_since + BATCH_SECONDS if self.begun or self.ended else inf

    def commit(self, hurry: bool = True) -> bool:
        """Writes starts to the journal. Where messages are due, or with `hurry`, it also makes results durable and sends them. False
        where something could not be saved."""
        is_saved = True
        is_sending = hurry or now() >= self.due()
        begun, ended = (self.begun, self.ended) if is_sending else ([], [])
        lines = [attempt.line for attempt in ended if attempt.line is not None]
        for line in lines:
            self.journal.add_result(line)
        try:
            self.journal.commit()
            self.launch_log.clear()
            self.journal.compact(self.attempts.values())
        except OSError as error:
            self.server.report_problem(describe_error(error, "results could not be saved in " + self.root))
            is_saved = False
        if is_sending:
            self.begun, self.ended = [], []
        for attempt in begun:
            if attempt.line is None:  # otherwise its result implies the start
                self.server.send({"ev": "started", "id": attempt.id})
        self.server.send_lines(lines)
        return is_saved

    def acknowledge(self, id: str) -> Attempt | None:
        """Removes and returns the attempt; None where it has no result or is not known."""
        attempt = self.attempts.get(id)
        return self.attempts.pop(id) if attempt and attempt.phase == "done" else None

    def list_held(self) -> list[Message]:
        """All attempts, as the messages `hello` and `held` have them."""
        return [describe_held(attempt) for attempt in self.attempts.values()]

    def resend(self) -> None:
        """Sends every result that has not been acknowledged."""
        self.commit()
        self.server.send_lines([attempt.line for attempt in self.attempts.values() if attempt.line is not None])


def describe_held(attempt: Attempt) -> Message:
    entry: Message = {
        "id": attempt.id, "chunk": attempt.chunk, "slot": attempt.slot,
        "state": {"queued": "queued", "preparing": "queued", "done": "done"}.get(attempt.phase, "running"),
    }  # fmt: skip
    if len(attempt.slots) > 1:
        entry["slots"] = attempt.slots
    if entry["state"] == "running":
        entry["seconds"] = round(now() - attempt.began, 3)
        if attempt.spec is not None:
            entry["grace"] = attempt.spec.grace
    if attempt.end is not None:
        entry["end"] = str(attempt.end)
    if attempt.agent_died:
        entry["agentDied"] = True
    return entry
