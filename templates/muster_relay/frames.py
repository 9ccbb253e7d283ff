"""The frames that coordinator and relay exchange, on the stdin and stdout of the relay.

The relay writes MAGIC, because what starts it may print something first, and then frames; the coordinator writes frames. A frame has
a header of 9 bytes (big-endian: 4 bytes length of the payload, 1 byte kind, 4 bytes channel) and a payload of at most 1 MiB. The
coordinator chooses the channel: a number for each program, and one for each file request. Channel 0 is the relay itself. No
number is used twice. Each frame of the relay is followed by a line feed: Slurm passes on the output of a step line by line.

To the relay:
    START         starts a program: its arguments, joined by NUL bytes; answered by STARTED or FAILED
    INPUT         bytes for its stdin; at most WINDOW_BYTES that no INPUT_TAKEN has acknowledged
    INPUT_END     its stdin ends
    OUTPUT_READ   acknowledges output: 1 byte OUTPUT or ERRORS, 4 bytes how many; at most WINDOW_BYTES of each go unacknowledged
    KILL          kills its process group; answered by KILLED
    CLOSE         closes its streams; the program may continue, and nothing more is sent about it
    REQUEST       a file request: an object of JSON, a line feed, and bytes; answered by ANSWER in the same form (files.py)
    PING          answered by PONG

From the relay:
    HELLO         first: an object of JSON (main.py)
    STARTED       4 bytes: the process id
    FAILED        the program cannot be started: an object of JSON, {"error": "ENOENT", "message": ...}
    OUTPUT        bytes of its stdout; none: it has ended
    ERRORS        the same of its stderr
    EXITED        after both have ended: an object of JSON, {"code": ...} or {"signal": "SIGKILL"}
    INPUT_TAKEN   4 bytes: how many bytes of INPUT the program has taken, or will never take
    KILLED, ANSWER, PONG
"""
from __future__ import annotations

import os
import struct
from collections import deque
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

MAGIC = b"\x1emuster relay\x1e\n"
HEADER = struct.Struct(">IBI")
COUNT = struct.Struct(">I")
STREAM_COUNT = struct.Struct(">BI")
MAX_PAYLOAD_BYTES = 1 << 20
WINDOW_BYTES = 1 << 20
FRAME_END = b"\n"

START, INPUT, INPUT_END, OUTPUT_READ, KILL, CLOSE, REQUEST, PING = range(1, 9)
HELLO, STARTED, FAILED, OUTPUT, ERRORS, EXITED, INPUT_TAKEN, KILLED, ANSWER, PONG = range(65, 75)

READ_BYTES = 1 << 18
# More parts than this would not make a write cheaper.
WRITE_PARTS = 64


class ProtocolError(Exception):
    """The coordinator sends what it must not send."""


class ChannelClosed(Exception):
    """Nobody reads any more."""


class FrameReader:
    """Reads frames from a descriptor that does not block."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.received = bytearray()

    def read(self) -> bool:
        """Takes what has arrived; False: nothing more will."""
        try:
            data = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.received += data
        return len(data) > 0

    def frames(self) -> Iterator[tuple[int, int, bytes]]:
        """The kind, channel and payload of each frame that is complete."""
        begin = 0
        while len(self.received) - begin >= HEADER.size:
            length, kind, channel = HEADER.unpack_from(self.received, begin)
            if length > MAX_PAYLOAD_BYTES:
                raise ProtocolError("a frame has {} bytes".format(length))
            end = begin + HEADER.size + length
            if len(self.received) < end:
                break
            yield kind, channel, bytes(memoryview(self.received)[begin + HEADER.size : end])
            begin = end
        del self.received[:begin]


class FrameWriter:
    """Queues frames, and writes them to a descriptor that does not block. `size`: bytes in the queue."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.parts: deque[bytes | memoryview] = deque([MAGIC])
        self.size = len(MAGIC)

    def send(self, kind: int, channel: int, *payload: bytes) -> None:
        header = HEADER.pack(sum(map(len, payload)), kind, channel)
        for part in (header,) + payload + (FRAME_END,):
            if part:
                self.parts.append(part)
                self.size += len(part)

    def flush(self) -> None:
        """Writes as much as fits. ChannelClosed where nobody reads any more."""
        while self.parts:
            try:
                written = os.writev(self.descriptor, list(islice(self.parts, WRITE_PARTS)))
            except BlockingIOError:
                return
            except OSError:
                raise ChannelClosed
            self.size -= written
            while written > 0:
                part = self.parts.popleft()
                if len(part) > written:
                    self.parts.appendleft(memoryview(part)[written:])
                written -= len(part)
