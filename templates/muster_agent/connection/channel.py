"""One attached connection, and its buffers."""
from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

MAX_LINE_BYTES = 64 << 20
MAX_UNSENT_BYTES = 64 << 20
READ_BYTES = 1 << 16  # the capacity of a pipe
WRITE_BYTES = 1 << 18


class Channel:
    """The stdin and stdout that `attach` passed on, and the socket to it: `attach` ends when that is closed."""

    def __init__(self, peer: socket.socket, reader: int, writer: int):
        self.peer, self.reader, self.writer = peer, reader, writer
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        self.partial_line = b""
        self.unsent = b""
        self.queued: list[bytes] = []

    def receive(self) -> list[bytes] | None:
        """Complete lines that have arrived, or None where no more will."""
        try:
            data = os.read(self.reader, READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        lines = (self.partial_line + data).split(b"\n")
        self.partial_line = lines.pop()
        if len(self.partial_line) > MAX_LINE_BYTES:
            return None
        return lines

    def flush(self) -> bool:
        """Writes as much as fits into the pipe. True while something is left; OSError where nobody reads any more."""
        if self.queued:
            self.unsent += b"".join(self.queued)
            self.queued = []
        while self.unsent:
            try:
                self.unsent = self.unsent[os.write(self.writer, self.unsent[:WRITE_BYTES]) :]  # fmt: skip
            except BlockingIOError:
                if len(self.unsent) > MAX_UNSENT_BYTES:
                    raise OSError(errno.ENOBUFS, "the coordinator does not read")
                return True
        return False

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)
        self.peer.close()
