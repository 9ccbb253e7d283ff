"""Makes the result of an attempt that has ended."""
from __future__ import annotations

import os

from ..errors import describe_error
from ..wire import clip
from ..workspace.file_content import hash_file
from ..workspace.free_space import describe_full_disk
from .failure_file import read_failure
from .found_outputs import OutputFault, describe_found, take_found
from .logs import close_logs
from .missing_outputs import find_written
from .outputs import MAX_INLINE_HASH_BYTES, collect_outputs, describe_large, take_outputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

    from ..processes.worker_thread import WorkerThread
    from ..settings import Settings
    from ..state.state_saver import StateSaver
    from ..storage.outbox import Outbox
    from .attempt import Attempt
    from ..workspace.copy_pool import CopyPool
    from .logs import Logs
    from .reported_values import ValueReports


class Reporter:
    """Collects outputs and logs, and puts the result into the outbox. Large outputs, and those that had to be
    found, are hashed in the worker thread."""

    def __init__(
        self, settings: Settings, copies: CopyPool, outbox: Outbox, logs: Logs, states: StateSaver, values: ValueReports, worker: WorkerThread
    ):
        self.settings, self.copies, self.outbox, self.logs = settings, copies, outbox, logs
        self.states, self.values, self.worker = states, values, worker

    def take_outputs(self, ended: Iterable[Attempt]) -> None:
        """Must be called before the next attempts start: they get the same working copies."""
        for attempt in ended:
            self.values.take_last(attempt, os.path.join(self.copies.root, attempt.folder))
            self.take_failure(attempt)
            attempt.error = attempt.error or self.copies.check_inputs(attempt) or self.logs.explain_excess(attempt)
            try:
                take_outputs(attempt, self.settings.max_data_bytes)
                if attempt.program.found and attempt.has_result():
                    take_found(attempt, self.copies.copy_of(attempt))
                if attempt.missing_names and attempt.has_succeeded():
                    attempt.written = find_written(attempt, self.copies.copy_of(attempt), attempt.missing_names)
            except OutputFault as fault:
                attempt.error = str(fault)
            except OSError as error:
                attempt.error = describe_error(error, "an output cannot be collected")
            if not attempt.cancelled and not attempt.has_succeeded():
                attempt.full_disk = describe_full_disk(self.settings.root)

    def take_failure(self, attempt: Attempt) -> None:
        """What the program itself says of why it failed."""
        failure = read_failure(os.path.join(self.copies.root, attempt.folder)) if attempt.status != 0 else None
        if failure is not None and not attempt.timeout and not attempt.cancelled and attempt.error is None:
            attempt.is_final, attempt.error = failure

    def report(self, ended: Iterable[Attempt]) -> None:
        for attempt in ended:
            try:
                large = collect_outputs(attempt, self.settings.max_data_bytes)
            except OSError as error:
                self.finish(attempt, describe_error(error, "an output cannot be collected"))
                continue
            stdout = attempt.out if attempt.program.stdout_limit is not None and attempt.has_result() else None
            if stdout is not None and os.fstat(stdout).st_size <= MAX_INLINE_HASH_BYTES:
                attempt.stdout_sha256, stdout = hash_file(stdout)[1], None
            if large or attempt.found or stdout is not None:
                self.hash_in_thread(attempt, large, stdout)
            else:
                self.finish(attempt)

    def hash_in_thread(self, attempt: Attempt, large: list[tuple[str, int]], stdout: int | None) -> None:
        folder = os.path.join(self.copies.root, attempt.folder)

        def hash_outputs() -> Any:
            described = [describe_large(path, fd) for path, fd in large]
            described += describe_found(folder, attempt.found, self.settings.max_data_bytes)
            return described, None if stdout is None else hash_file(stdout)[1]

        def add_outputs(result: Any) -> None:
            for _, fd in large:
                os.close(fd)
            if isinstance(result, OSError):
                return self.finish(attempt, describe_error(result, "an output could not be read"))
            attempt.outputs += result[0]
            attempt.stdout_sha256 = attempt.stdout_sha256 or result[1]
            self.finish(attempt)

        self.worker.submit(hash_outputs, add_outputs)

    def finish(self, attempt: Attempt, error: str | None = None) -> None:
        if attempt.saved_states is not None and not attempt.has_succeeded():
            self.states.take(attempt, lambda: self.keep(attempt, error))
        else:
            self.keep(attempt, error)

    def keep(self, attempt: Attempt, error: str | None) -> None:
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
