"""Queries how much memory of GPUs is used, in a process of its own: the driver of a sick GPU may hang."""
from __future__ import annotations

from time import monotonic as now

from ..processes.scripts import ScriptSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from ..processes.scripts import ScriptResult, ScriptRunner

TIMEOUT_SECONDS = 5.0
MIN_VALID_SECONDS = 1.0  # how long an answer counts at least,
VALID_FACTOR = 20  # and as a multiple of the time it took, so that queries take a twentieth of the time at most


class VramQuery:
    """Calls report(query, when it started, script result). `valid_seconds`: how long that answer counts."""

    def __init__(self, runner: ScriptRunner, script: str, report: Callable[[VramQuery, float, ScriptResult], object]):
        self.scripts, self.script, self.report = ScriptSet(runner, 0, self._finished), script, report
        self.started_at = 0.0
        self.valid_seconds = MIN_VALID_SECONDS

    def start(self) -> None:
        """Does nothing while a query runs: whoever asks meanwhile gets its answer, and asks again."""
        if self.scripts.deadline is None:
            self.started_at = now()
            self.scripts.start([self.script], TIMEOUT_SECONDS)

    def _finished(self, results: list[ScriptResult]) -> None:
        self.valid_seconds = max(MIN_VALID_SECONDS, VALID_FACTOR * (now() - self.started_at))
        self.report(self, self.started_at, results[0])
