"""One execution of a chunk."""
import os

from .wire import prose


class Attempt:
    """`phase`: queued, running, terminating, killed (signals sent), sweeping (leader gone), ended, done."""

    __slots__ = (
        "id", "chunk", "slot", "spec", "args", "phase", "pid", "process", "printed", "out", "err", "began", "seconds", "alarm",
        "timeout", "canceled", "status", "rss", "outputs", "missing", "cut", "line", "end", "held", "peak", "grows",
        "agent_died",
    )  # fmt: skip

    def __init__(self, id, chunk, slot, spec, args):
        self.id, self.chunk, self.slot, self.spec, self.args = id, chunk, slot, spec, args
        self.phase = "queued"
        self.pid = self.process = self.printed = self.out = self.err = self.alarm = self.status = self.line = None
        self.end = None  # where its range ends, if it gave a part away
        self.began = self.seconds = 0.0
        self.timeout = self.canceled = False
        self.agent_died = False  # while it ran, and the node has not rebooted since it began
        self.rss = self.held = self.peak = 0  # bytes: of its largest process, now, at most
        self.grows = False
        self.cut = {"stdout": 0, "stderr": 0}  # bytes of its logs that were dropped
        self.outputs, self.missing = [], []

    @property
    def folder(self):
        return "a/" + self.id

    def done(self, error=None):
        """The `done` message, as far as it is known without logs."""
        exit_code = signal_number = None
        if self.status is not None:
            if os.WIFSIGNALED(self.status):
                signal_number = os.WTERMSIG(self.status)
            else:
                exit_code = os.WEXITSTATUS(self.status)
        message = {
            "ev": "done", "id": self.id, "chunk": self.chunk, "slot": self.slot, "exit": exit_code,
            "signal": signal_number, "timeout": self.timeout, "canceled": self.canceled,
            "seconds": round(self.seconds, 6), "rss": self.rss, "outputs": self.outputs, "missing": self.missing,
            "stdout": {"size": 0, "data": ""}, "stderr": {"size": 0, "data": ""}, "tail": "",
        }  # fmt: skip
        if self.end is not None:
            message["end"] = str(self.end)
        if error is not None:
            message["error"] = prose(error)
        return message
