"""One thread for what would hold up the loop."""
from collections import deque


class Helper:
    """Its work must use absolute paths or descriptors: the loop changes directory."""

    def __init__(self, wake):
        self.wake = wake
        self.jobs = None
        self.finished = deque()

    def submit(self, work, then):
        """Runs work() in the thread, then(result or OSError) in the loop."""
        if self.jobs is None:
            import queue
            import threading

            self.jobs = queue.SimpleQueue()
            threading.Thread(target=self._serve, daemon=True).start()
        self.jobs.put((work, then))

    def _serve(self):
        while True:
            work, then = self.jobs.get()
            try:
                result = work()
            except OSError as error:
                result = error
            self.finished.append((then, result))
            self.wake()

    def settle(self):
        while self.finished:
            then, result = self.finished.popleft()
            then(result)
