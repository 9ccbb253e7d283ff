"""Tells the coordinator which contents it must send."""
from __future__ import annotations

import base64
from math import inf
from time import monotonic as now

from ..errors import describe_error
from ..wire import clip
from ..workspace.content_store import SHA256
from .upload_locks import UploadLocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Tuple

    from ..connection.server import Server
    from ..processes.worker_thread import WorkerThread
    from ..wire import Message
    from ..workspace.content_store import ContentStore

    Files = List[Tuple[str, int]]

RETRY_SECONDS = 0.1  # between two looks for a content that another run is receiving
MAX_WAIT_SECONDS = 600.0  # for another run: after that, this run receives the content itself


class ContentFinder:
    """A content is there, or it is missing and this run holds its upload lock, or another run is receiving it: then it is awaited,
    and `taken` follows. `awaited`: size and deadline by SHA-256."""

    def __init__(self, store: ContentStore, worker: WorkerThread, server: Server):
        self.store, self.cache, self.worker, self.server = store, store.cache, worker, server
        self.locks = UploadLocks(store.cache)
        self.awaited: dict[str, tuple[int, float]] = {}
        self.retry_at = inf

    def find(self, id: int, files: Files) -> None:
        """Answers `find`."""
        if not all(SHA256.match(sha256) and size >= 0 for sha256, size in files):
            raise ValueError("no SHA-256, or no size")
        self.worker.submit(lambda: self._list_missing(files), lambda missing: self._answer(id, files, missing))

    def _list_missing(self, files: Files) -> list[int]:
        """The indices of the files that this run must receive. There is room for them, if that is possible."""
        missing = [index for index, (sha256, size) in enumerate(files) if not self.store.has(sha256, size)]
        self.cache.make_room(sum(files[index][1] for index in missing))
        return missing

    def _answer(self, id: int, files: Files, missing: list[int] | OSError) -> None:
        if isinstance(missing, OSError):
            reason = clip(describe_error(missing, "inputs cannot be stored"))
            return self.server.send({"ev": "found", "id": id, "missing": "", "error": reason})
        awaited = [index for index in missing if not self.locks.acquire(files[index][0])]
        answer: Message = {"ev": "found", "id": id, "missing": encode_bits(len(files), set(missing) - set(awaited))}
        if awaited:
            answer["awaited"] = encode_bits(len(files), set(awaited))
            deadline = now() + MAX_WAIT_SECONDS
            self.awaited.update((files[index][0], (files[index][1], deadline)) for index in awaited)
            self.retry_at = now() + RETRY_SECONDS
        self.server.send(answer)

    def due(self) -> float:
        return self.retry_at

    def run_timers(self, time_now: float) -> None:
        """Looks again for awaited contents; lets other runs upload what a coordinator that has gone was about to."""
        for problem in self.cache.take_problems():
            self.server.report_problem(problem)
        if self.server.attached is None:
            self.forget_coordinator()
        if time_now >= self.retry_at:
            self.retry_at = inf
            awaited = dict(self.awaited)
            self.worker.submit(lambda: self._list_arrived(awaited), lambda arrived: self._look_again(awaited, arrived))

    def forget_coordinator(self) -> None:
        """What the last coordinator asked and promised does not count any more."""
        self.awaited.clear()
        self.locks.release_all()

    def release(self, sha256: str) -> None:
        """This run does not receive a content any more: it has arrived, or the coordinator does not send it."""
        self.locks.release(sha256)

    def _list_arrived(self, awaited: dict[str, tuple[int, float]]) -> set[str]:
        return {sha256 for sha256, (size, _) in awaited.items() if self.store.has(sha256, size)}

    def _look_again(self, awaited: dict[str, tuple[int, float]], arrived: set[str] | OSError) -> None:
        time_now = now()
        for sha256, (_, deadline) in awaited.items():
            if sha256 not in self.awaited:
                continue
            is_stored = not isinstance(arrived, OSError) and sha256 in arrived
            if is_stored or self.locks.acquire(sha256) or time_now >= deadline:
                del self.awaited[sha256]
                self.server.send({"ev": "taken", "sha256": sha256, "stored": is_stored})
        if self.awaited:
            self.retry_at = time_now + RETRY_SECONDS


def encode_bits(count: int, indices: set[int]) -> str:
    """A bit for each index below `count`, the highest bit of a byte first, in base64."""
    bits = bytearray((count + 7) // 8)
    for index in indices:
        bits[index >> 3] |= 0x80 >> (index & 7)
    return base64.b64encode(bits).decode()
