"""A thread for work that would block the event loop."""
from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    import queue
    from typing import Any, Callable, Deque, Tuple

    Work = Callable[[], Any]
    Callback = Callable[[Any], Any]


class WorkerThread:
    """One thread, started with the first job. Work must use absolute paths or descriptors: the loop changes its directory."""

    def __init__(self, wake: Callable[[], None]):
        self.wake = wake
        self.jobs: queue.SimpleQueue[tuple[Work, Callback]] | None = None
        self.finished: Deque[Tuple[Callback, Any]] = deque()

    def submit(self, work: Work, then: Callback) -> None:
        """Runs work() in the thread, and then(result, or the OSError that it raised) in the loop."""
        if self.jobs is None:
            import queue
            import threading

            self.jobs = queue.SimpleQueue()
            threading.Thread(target=self._serve, args=(self.jobs,), daemon=True).start()
        self.jobs.put((work, then))

    def _serve(self, jobs: queue.SimpleQueue[tuple[Work, Callback]]) -> None:
        while True:
            work, then = jobs.get()
            try:
                result = work()
            except OSError as error:
                result = error
            self.finished.append((then, result))
            self.wake()

    def run_callbacks(self) -> None:
        while self.finished:
            then, result = self.finished.popleft()
            then(result)
