"""Why an environment cannot be built, as it is reported to the coordinator."""
from __future__ import annotations


class Failure(Exception):
    def __init__(self, code: str, reason: str, tail: list[str] | None = None) -> None:
        super().__init__(reason)
        self.answer = {"error": code, "reason": reason, "tail": tail or []}
