"""Attempts that run in a folder of the node."""
from __future__ import annotations

import errno
import _thread
import os
from math import inf
from time import monotonic as now

from ..errors import describe_error
from ..workspace.content_store import MissingContent
from .placement import Placement
from .program_files import ProgramFiles
from .set_aside import restore_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..attempts.attempt import Attempt
    from ..attempts.slots import SlotPool
    from ..connection.server import Server
    from ..processes.worker_thread import WorkerThread
    from ..storage.outbox import Outbox
    from ..workspace.content_store import ContentStore

RETRY_SECONDS = 0.5  # between two tries for the locks of an attempt
WAITING = "chunk {} waits: another attempt on this node writes {}"


class InPlace:
    """Prepares attempts before they start, and takes their outputs when they end. Moving files may take long, so the worker thread does
    it, under `mutex`: whoever closes waits for the move that is under way, and then puts back everything that is set aside."""

    def __init__(
        self, root: str, root_link: str, store: ContentStore, worker: WorkerThread, slots: SlotPool, outbox: Outbox, server: Server
    ):
        self.root, self.root_link, self.store, self.worker = root, root_link, store, worker
        self.slots, self.outbox, self.server = slots, outbox, server
        self.programs = ProgramFiles()
        self.reported: dict[bytes, str] = {}  # the hashes that the coordinator knows, by path
        self.placements: dict[str, Placement] = {}  # by the attempt's id
        self.finished: list[Attempt] = []  # attempts whose outputs have been taken
        self.problems: list[str] = []  # found before a coordinator was there
        self.mutex = _thread.RLock()
        self.is_closed = False

    def greet(self) -> None:
        """Sends a new coordinator what it does not know."""
        self.reported.clear()
        for problem in self.problems:
            self.server.report_problem(problem)
        self.problems = []

    def due(self) -> float:
        """When to try again for locks."""
        heads = [slot.queue[0] for slot in self.slots.ready if slot.queue]
        times = [attempt.retry_at for attempt in heads if attempt.retry_at is not None]
        # A time that has passed was not used: something else keeps the slot from starting.
        return min((time if time > now() else now() + RETRY_SECONDS for time in times), default=inf)

    def admits(self, attempt: Attempt) -> bool:
        """Whether the attempt can start, or fail. Otherwise it waits for its locks, or is being prepared."""
        placement = attempt.placement or self.place(attempt)
        return placement is not None and placement.is_ready

    def place(self, attempt: Attempt) -> Placement | None:
        """Begins to prepare an attempt. None where another attempt has one of its locks."""
        if attempt.is_waiting_for_paths():
            return None
        placement = Placement(self.root, self.root_link, attempt, self.store, self.slots.locks.report_once)
        blocked = placement.locks.acquire()
        if blocked is not None:
            if attempt.retry_at is not None:  # not at once: most locks are released soon
                self.slots.locks.report_once(WAITING.format(attempt.chunk, os.fsdecode(blocked)))
            attempt.retry_at = now() + RETRY_SECONDS
            return None
        attempt.placement, attempt.retry_at, attempt.phase = placement, None, "preparing"
        self.placements[attempt.id] = placement
        self.worker.submit(lambda: self.prepare(placement), lambda result: self.prepared(placement, result))
        return placement

    def prepare(self, placement: Placement) -> Any:
        """In the worker thread. The program's file and its hash, None, or the error."""
        try:
            with self.mutex:
                if self.is_closed:
                    raise OSError(errno.ECANCELED, "the agent ends")
                placement.prepare()
            return self.programs.find(placement.directory, placement.watch)
        except (OSError, ValueError, MissingContent) as error:
            return error

    def prepared(self, placement: Placement, result: Any) -> None:
        placement.is_ready = True
        if isinstance(result, Exception):
            placement.error = result
        elif result is not None:
            self.report(*result)
        if placement.attempt.cancelled:
            self.cancel(placement.attempt)

    def report(self, path: bytes, sha256: str) -> None:
        if self.server.attached and self.reported.get(path) != sha256:
            self.reported[path] = sha256
            self.server.send({"ev": "program", "path": os.fsdecode(path), "sha256": sha256})

    def cancel(self, attempt: Attempt) -> None:
        """Withdraws an attempt that is being prepared: now, or when that is done."""
        attempt.cancelled = True
        if attempt.placement is not None and attempt.placement.is_ready:
            self.slots.withdraw(attempt)
            self.fail(attempt, None)

    def fail(self, attempt: Attempt, error: str | None) -> None:
        """Adds the result of an attempt that never ran, once everything is as it was before."""
        attempt.phase = "ended"
        self.submit_finish(attempt, lambda: self.outbox.fail(attempt, error))

    def finish(self, ended: list[Attempt]) -> list[Attempt]:
        """The attempts whose outputs lie in folders of their own: of `ended`, and those that ended before and have been finished."""
        for attempt in ended:
            if attempt.placement is not None:
                self.submit_finish(attempt, lambda attempt=attempt: self.finished.append(attempt))
        others = [attempt for attempt in ended if attempt.placement is None]
        finished, self.finished = self.finished, []
        return others + finished

    def submit_finish(self, attempt: Attempt, then: Any) -> None:
        placement = attempt.placement
        assert placement is not None
        outcome = None
        if attempt.pid is not None:
            outcome = attempt.stopped or (attempt.status == 0 and not attempt.timeout and not attempt.cancelled)

        def done(result: Any) -> None:
            taking, problems = result
            if taking is not None and not attempt.stopped:
                attempt.error = describe_error(taking, "an output cannot be collected")
            for problem in problems:
                self.server.report_problem(problem)
            placement.locks.release()
            self.placements.pop(attempt.id, None)
            for slot in self.slots.ready:
                if slot.queue and slot.queue[0].retry_at is not None:
                    slot.queue[0].retry_at = 0.0
            then()

        self.worker.submit(lambda: self.finish_one(placement, outcome), done)

    def finish_one(self, placement: Placement, has_succeeded: bool | None) -> Any:
        """In the worker thread."""
        with self.mutex:
            if self.is_closed:
                return None, []
            try:
                return placement.finish(has_succeeded)
            except OSError as error:
                return error, []

    def close(self) -> list[str]:
        """Puts back everything that is set aside, and releases all locks. The processes of all attempts must have ended. Returns what
        could not be put back. A signal handler may call it while it runs; the agent ends afterwards, so the mutex is kept. No attempt is
        finished twice: what lies where it wrote may be a file of the user by then."""
        is_first, self.is_closed = not self.is_closed, True
        self.mutex.acquire()
        for placement in list(self.placements.values()) if is_first else []:
            if placement.may_write and not placement.is_finished:
                placement.finish(False)  # what it has written so far is no result
        problems = restore_all(self.root_link)
        for placement in list(self.placements.values()):
            placement.locks.release()
        return problems
