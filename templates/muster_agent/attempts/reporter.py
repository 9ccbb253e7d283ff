"""Makes the result of an attempt that has ended."""
from __future__ import annotations

import os

from ..errors import describe_error
from ..wire import clip
from ..workspace.content_store import hash_file
from .logs import close_logs
from .outputs import collect_outputs, take_outputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

    from ..processes.worker_thread import WorkerThread
    from ..settings import Settings
    from ..storage.outbox import Outbox
    from .attempt import Attempt
    from ..workspace.copy_pool import CopyPool
    from .logs import Logs


class Reporter:
    """Collects outputs and logs, and puts the result into the outbox. Large outputs are hashed in the worker thread."""

    def __init__(self, settings: Settings, copies: CopyPool, outbox: Outbox, logs: Logs, worker: WorkerThread):
        self.settings, self.copies, self.outbox, self.logs, self.worker = settings, copies, outbox, logs, worker

    def take_outputs(self, ended: Iterable[Attempt]) -> None:
        """Must be called before the next attempts start: they get the same working copies."""
        for attempt in ended:
            attempt.error = attempt.error or self.copies.check_inputs(attempt)
            try:
                take_outputs(attempt, self.settings.max_data_bytes)
            except OSError as error:
                attempt.error = describe_error(error, "an output cannot be collected")

    def report(self, ended: Iterable[Attempt]) -> None:
        for attempt in ended:
            try:
                large = collect_outputs(attempt, self.settings.max_data_bytes)
            except OSError as error:
                self.finish(attempt, describe_error(error, "an output cannot be collected"))
                continue
            if large:
                self.hash_in_thread(attempt, large)
            else:
                self.finish(attempt)

    def hash_in_thread(self, attempt: Attempt, large: list[tuple[str, int]]) -> None:
        def add_outputs(result: Any) -> None:
            is_error = isinstance(result, OSError)
            for (path, fd), (size, sha256) in zip(large, [] if is_error else result):
                attempt.outputs.append({"path": path, "size": size, "sha256": sha256})
            for _, fd in large:
                os.close(fd)
            self.finish(attempt, describe_error(result, "an output could not be read") if is_error else None)

        self.worker.submit(lambda: [hash_file(fd) for _, fd in large], add_outputs)

    def finish(self, attempt: Attempt, error: str | None = None) -> None:
        if attempt.terminal:
            attempt.terminal.finish()
            error = error or attempt.terminal.error
        message = attempt.result_message(error or attempt.error)
        self.logs.cut(attempt)
        try:
            self.logs.add_to(message, attempt)
        except OSError as log_error:
            message.setdefault("error", clip(describe_error(log_error, "the logs could not be read")))
        close_logs(attempt)
        self.outbox.keep(attempt, message)
