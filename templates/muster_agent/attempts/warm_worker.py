"""A process that takes chunk after chunk of one slot (docs/worker-protocol.md)."""
from __future__ import annotations

import fcntl
import os
from time import monotonic as now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wire import Message
    from .attempt import Attempt

CHUNKS_DESCRIPTOR, ANSWERS_DESCRIPTOR = 3, 4  # in the worker
MIN_DESCRIPTOR = 10  # of the pipes here, so that none is 3 or 4
MAX_LINE_BYTES = 8192
MAX_READS = 16  # of 4 KiB at once, so that a worker that writes without end does not hold up the loop


class WarmLimits:
    """When a worker is recycled; None = no limit. `isolate`: chunks with different values get different workers."""

    def __init__(self, data: Message):
        self.chunks: int | None = data.get("chunks")
        self.seconds: float | None = data.get("after")
        self.memory_bytes: int | None = data.get("memory")
        self.isolate: str | None = data.get("isolate")


class WarmWorker:
    """`key`: what its process was started with. `attempt`: the one that it runs; None while it is idle. `spent`: why it gets no
    further chunk. `vram_mib`: the GPU memory in use after its first chunk. `child_count`: the descendants that it had then."""

    def __init__(self, key: object, limits: WarmLimits):
        self.id = os.urandom(8).hex()
        self.key, self.limits = key, limits
        self.pid = 0
        self.began = now()
        self.loaded_at: float | None = None
        self.chunk_count = 0
        self.attempt: Attempt | None = None
        self.last: Attempt | None = None  # the attempt before
        self.spent: str | None = None
        self.is_retiring = False
        self.kill_at: float | None = None
        self.is_gone = False  # its leader has ended; what it left behind may not have
        self.vram_mib: int | None = None
        self.child_count: int | None = None
        self.buffer = b""
        reader, writer = os.pipe()
        self.worker_reader, self.chunks_writer = move_up(reader), move_up(writer)
        reader, writer = os.pipe()
        self.answers_reader, self.worker_writer = move_up(reader), move_up(writer)
        os.set_blocking(self.answers_reader, False)
        os.set_blocking(self.chunks_writer, False)

    def variables(self) -> dict[bytes, bytes]:
        descriptors = b"%d %d" % (CHUNKS_DESCRIPTOR, ANSWERS_DESCRIPTOR)
        return {b"MUSTER_WORKER": self.id.encode(), b"MUSTER_DESCRIPTORS": descriptors}

    def file_actions(self) -> list[tuple[int, int, int]]:
        """For posix_spawn: the descriptors of the worker."""
        return [
            (os.POSIX_SPAWN_DUP2, self.worker_reader, CHUNKS_DESCRIPTOR),
            (os.POSIX_SPAWN_DUP2, self.worker_writer, ANSWERS_DESCRIPTOR),
        ]

    def close_worker_ends(self) -> None:
        for fd in (self.worker_reader, self.worker_writer):
            os.close(fd)

    def give(self, folder: str) -> None:
        """Sends a chunk. BrokenPipeError where the worker has ended."""
        os.write(self.chunks_writer, b"chunk " + os.fsencode(folder) + b"\n")

    def read_lines(self) -> list[bytes] | None:
        """What it has written since, in whole lines, but no more than a part of a flood; None where it has closed its end."""
        lines: list[bytes] = []
        for _ in range(MAX_READS):
            try:
                data = os.read(self.answers_reader, 4096)
            except BlockingIOError:
                return lines
            if not data:
                return lines or None
            *found, self.buffer = (self.buffer + data).split(b"\n")
            lines += found
            if len(self.buffer) > MAX_LINE_BYTES:
                lines.append(self.buffer)
                self.buffer = b""
        return lines

    def end_input(self) -> None:
        """Tells it that there are no more chunks."""
        if self.chunks_writer >= 0:
            os.close(self.chunks_writer)
            self.chunks_writer = -1

    def close(self) -> None:
        self.end_input()
        if self.answers_reader >= 0:
            os.close(self.answers_reader)
            self.answers_reader = -1


def move_up(fd: int) -> int:
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, MIN_DESCRIPTOR)
    os.close(fd)
    return moved
