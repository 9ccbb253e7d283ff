"""One execution of a chunk."""
from __future__ import annotations

import os
from time import monotonic as now

from ..wire import clip
from .reported_values import ValueLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..gpu.card_usage import CardUsage
    from ..in_place.placement import Placement
    from ..state.saved_states import SavedStates
    from ..wire import Message
    from .spec import Spec
    from .terminal import Terminal


class Attempt:
    """`phase`: queued, preparing (InPlace), running, terminating (SIGTERM sent), killed (SIGKILL sent), sweeping (the leader has
    ended, processes that it left behind are being killed), ended, or done (the result is in the outbox)."""

    __slots__ = (
        "id", "chunk", "slot", "slots", "cards", "spec", "args", "found", "stdout_sha256", "phase", "pid", "identity", "logged_bytes", "out", "err", "began", "seconds",
        "deadline", "timeout", "cancelled", "status", "rss", "work", "files", "outputs", "missing", "cut", "line", "end", "resident_bytes",
        "peak_bytes", "terminal", "full_disk", "missing_names", "written", "oom_kills", "out_of_memory", "was_running", "is_growing", "agent_died", "error", "placement", "retry_at",
        "progress", "kept_state", "saved_state", "sent_state", "saved_states", "state_due",
        "preempted", "saves_first", "details", "is_final", "is_warm", "loading", "copy_name", "progress_at", "usage", "values", "stopped",
    )  # fmt: skip

    def __init__(self, id: str, chunk: str, slot: int, spec: Spec | None, args: list[str], details: Message | None = None):
        self.id, self.chunk, self.slot, self.spec, self.args = id, chunk, slot, spec, args
        self.details: Message = details or {}  # the fields of `start` that describe the chunk
        self.slots: list[int] = self.details.get("slots") or [slot]  # ascending, `slot` first
        self.cards: list[Message] = []  # the GPUs that it was bound to, as `done` describes them
        self.saves_first: bool = self.details.get("saveFirst", False)  # whether it is not preempted before it has saved a state
        self.phase = "queued"
        self.pid: int | None = None  # of its leader; None until it starts
        self.identity: list[Any] | None = None  # of its leader (ProcessTable.identify)
        self.began = self.seconds = 0.0
        self.deadline: float | None = None  # when it is terminated, killed or given up, depending on its phase
        self.timeout = self.cancelled = False
        self.agent_died = False  # the agent died while it ran, and the node has not rebooted since
        self.status: int | None = None  # of its leader, as wait() returns it
        self.rss = 0  # peak bytes of its largest process
        self.resident_bytes = self.peak_bytes = 0  # of all its processes, now and at most
        self.is_growing = False  # whether its memory grew since the last check
        self.out: int | None = None
        self.err: int | None = None
        self.terminal: Terminal | None = None  # where its program has one
        self.logged_bytes: int | None = None  # in its logs at the last check
        self.cut = {"stdout": 0, "stderr": 0}  # bytes of its logs that were dropped
        self.work: bytes | None = None  # the top of its working copy; None until it starts
        self.files: list[tuple[str, int]] = []  # declared outputs by path, as open descriptors, until they are read
        self.found: list[bytes] = []  # found outputs by path, in the attempt's folder
        self.stdout_sha256: str | None = None  # where stdout is an output
        self.outputs: list[dict[str, Any]] = []
        self.missing: list[str] = []
        self.missing_names: list[bytes] = []  # of declared outputs, relative to where they should be
        self.written: list[str] = []  # files that it wrote instead
        self.oom_kills: int | None = None  # of its cgroup that no attempt accounts for, when it began
        self.out_of_memory: str | None = None  # where an OOM kill of it was seen
        self.was_running = False  # whether the agent had sent it no signal when its program ended
        self.error: str | None = None  # why it failed though its program ended, or as its program says
        self.is_warm = False  # whether it runs in a worker that may outlive it
        self.loading: float | None = None  # the seconds that its worker took before it asked for it, the worker's first one
        self.copy_name = str(slot)  # of the working copy that it runs in
        self.is_final = False  # whether its program says that no further attempt can succeed
        self.full_disk: dict[str, Any] | None = None  # where it failed, and the node's disk has no room (describe_full_disk)
        self.placement: Placement | None = None  # where it runs in a folder of the node
        self.retry_at: float | None = None  # when to try for its locks again
        self.end: int | None = None  # where its range ends, if it gave a part of it away
        self.progress: Message | None = None  # what its program reported last
        self.progress_at = 0.0  # when that changed
        self.kept_state: Message | None = None  # what an earlier attempt of its chunk saved
        self.saved_state: Message | None = None  # what it saved itself, as `saved` describes it
        self.sent_state: Message | None = None  # the last one that the coordinator was told of
        self.saved_states: SavedStates | None = None  # once its state folder is laid out
        self.state_due = 0.0  # when to look again
        self.preempted: str | None = None  # the name of the run of higher priority for which it was ended
        self.usage: dict[str, CardUsage] = {}  # by the address of a card: what the sampler saw of it
        self.values = ValueLog()
        self.stopped = False  # the coordinator had it ended, and takes what outputs it has by then
        self.line: bytes | None = None  # its encoded result

    def is_waiting_for_paths(self) -> bool:
        """Whether another attempt writes what this one would, and it is too early to try again."""
        return self.retry_at is not None and now() < self.retry_at

    def has_succeeded(self) -> bool:
        """Whether its program has; outputs may still be missing."""
        return self.status == 0 and not self.timeout and not self.cancelled and self.error is None

    def has_result(self) -> bool:
        """Whether its outputs are kept: it has succeeded, or was stopped."""
        return self.has_succeeded() or (self.stopped and self.cancelled)

    def has_saved(self) -> bool:
        """Whether its program has saved a state with other files than the one that it began with."""
        saved = self.saved_state
        if saved is None or "error" in saved:
            return False
        return self.kept_state is None or list_contents(saved) != list_contents(self.kept_state)

    @property
    def folder(self) -> str:
        return "a/" + self.id

    @property
    def program(self) -> Spec:
        """The spec of an attempt that was accepted: one with an unknown spec ends before it is queued."""
        assert self.spec is not None
        return self.spec

    def result_message(self, error: str | None = None) -> Message:
        """The message `done`, without its logs."""
        exit_code = signal_number = None
        if self.status is not None:
            if os.WIFSIGNALED(self.status):
                signal_number = os.WTERMSIG(self.status)
            else:
                exit_code = os.WEXITSTATUS(self.status)
        message: Message = {
            "ev": "done", "id": self.id, "chunk": self.chunk, "slot": self.slot, "exit": exit_code,
            "signal": signal_number, "timeout": self.timeout, "cancelled": self.cancelled,
            "seconds": round(self.seconds, 6), "outputs": self.outputs, "missing": self.missing,
            "stdout": {"size": 0, "data": ""}, "stderr": {"size": 0, "data": ""}, "tail": "",
        }  # fmt: skip
        if self.cards:
            message["cards"] = self.cards
        if self.usage:
            ended = self.began + self.seconds
            message["usage"] = [{"pci": pci, **usage.describe(ended)} for pci, usage in self.usage.items()]
        if self.values.values:
            message["values"] = self.values.values
        if self.stopped and self.cancelled:
            message["stopped"] = True
        if self.end is not None:
            message["end"] = str(self.end)
        if self.written:
            message["written"] = self.written
        if self.out_of_memory is not None:
            message["outOfMemory"] = self.out_of_memory
        if error is not None:
            message["error"] = clip(error)
        if self.saved_state is not None and not self.has_succeeded():
            message["state"] = self.saved_state
        if self.preempted is not None and self.cancelled:
            message["preempted"] = {"run": self.preempted, "saved": self.has_saved()}
        if self.loading is not None:
            message["loading"] = round(self.loading, 6)
        if self.is_final:
            message["final"] = True
        if self.full_disk is not None:
            message["fullDisk"] = self.full_disk
        return message


def list_contents(state: Message) -> list[tuple[str, str]]:
    return sorted((file["path"], file["sha256"]) for file in state["files"])
