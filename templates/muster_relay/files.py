"""File requests, in threads of their own: a slow disk must not hold up messages of programs, nor one fsync the next.

Requests for one handle are served in the order of their arrival. The coordinator chooses the handle of a file that it opens, so it can
send further requests for it at once. Paths are absolute.

    {"op": "home"}                                        {"path"}
    {"op": "stat", "path"}                                {"kind", "size", "mode"} of the path itself, as lstat
    {"op": "makeFolder", "path", "mode"}                  {}; makes missing parents, too
    {"op": "free", "path"}                                {"bytes"} that the user may still write to its file system
    {"op": "open", "path", "handle"}                      {"size"} of a regular file; IRREGULAR for everything else, links included
    {"op": "read", "handle", "offset", "length"}          {} and the bytes: fewer only at the end of the file
    {"op": "close", "handle"}                             {}
    {"op": "create", "path", "handle"}                    {}; the file must not exist
    {"op": "write", "handle", "offset"} and bytes         {}
    {"op": "finish", "handle", "mode", "target"}          {}; the created file is on disk and has replaced the target
    {"op": "abandon", "handle"}                           {}; closes and removes a created file
    {"op": "put", "path", "mode", "target"} and bytes     {}; create, write and finish at once

A request that fails is answered by {"error", "message"}; then a created file can only be abandoned, and `finish` and `put` have done that.
"""
from __future__ import annotations

import errno
import json
import os
import queue
import stat
import threading
import time

from .frames import ProtocolError
from .programs import describe_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

THREADS = 4
# Answers that wait for the main thread. Each may hold a block of a file.
MAX_ANSWERS = 4
TEMPORARY_MODE = 0o600


class IrregularError(OSError):
    """What should be read is no regular file."""


class CreatedFile:
    """A file that is being written. `error`: why a write has failed."""

    def __init__(self, path: bytes):
        self.path = path
        self.error: OSError | None = None
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, TEMPORARY_MODE)

    def write(self, offset: int, data: memoryview) -> None:
        if self.error is not None:
            raise self.error
        try:
            while data:
                written = os.pwrite(self.descriptor, data, offset)
                data, offset = data[written:], offset + written
        except OSError as error:
            self.error = error
            raise

    def finish(self, mode: int, target: bytes) -> None:
        """Renames it over the target when it is on disk, or removes it and raises."""
        try:
            if self.error is not None:
                raise self.error
            os.fchmod(self.descriptor, mode)
            os.fsync(self.descriptor)
            os.replace(self.path, target)
        except OSError:
            self.abandon()
            raise
        os.close(self.descriptor)

    def abandon(self) -> None:
        for release in (lambda: os.close(self.descriptor), lambda: os.unlink(self.path)):
            try:
                release()
            except OSError:
                pass


class FileRequests:
    """`wake`: tells the main thread that there are answers."""

    def __init__(self, wake: Callable[[], None]):
        self.wake = wake
        self.answers: queue.Queue[tuple[int, bytes, bytes]] = queue.Queue(MAX_ANSWERS)
        self.is_ending = False
        self.opened: dict[int, int] = {}
        self.created: dict[int, CreatedFile] = {}
        self.queues: list[queue.SimpleQueue[tuple[int, dict[str, Any], memoryview] | None]] = [
            queue.SimpleQueue() for _ in range(THREADS)
        ]
        self.threads = [threading.Thread(target=self.serve, args=(own,), daemon=True) for own in self.queues]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def add(self, number: int, payload: bytes) -> None:
        """Queues a request. ProtocolError where it is none."""
        try:
            end = payload.index(b"\n")
            request = json.loads(payload[:end])
            turn = request.get("handle", number) % THREADS
        except (ValueError, TypeError, AttributeError):
            raise ProtocolError("a request that is no object of JSON")
        self.queues[turn].put((number, request, memoryview(payload)[end + 1 :]))

    def end(self, timeout_seconds: float) -> None:
        """Removes the files that are not complete, unless the disk is too slow for that."""
        self.is_ending = True
        for own in self.queues:
            own.put(None)
        deadline = time.monotonic() + timeout_seconds
        for thread in self.threads:
            while thread.is_alive() and time.monotonic() < deadline:
                # It may wait for room.
                while not self.answers.empty():
                    self.answers.get()
                thread.join(0.02)
        for file in list(self.created.values()):
            file.abandon()

    def serve(self, requests: queue.SimpleQueue[tuple[int, dict[str, Any], memoryview] | None]) -> None:
        while True:
            item = requests.get()
            if item is None:
                return
            if self.is_ending:
                continue
            number, request, data = item
            self.answers.put((number, *self.answer(request, data)))
            self.wake()

    def answer(self, request: dict[str, Any], data: memoryview) -> tuple[bytes, bytes]:
        """The first line of the answer and the bytes that follow it."""
        try:
            answer, content = getattr(self, "do_" + request["op"])(request, data)
            return json.dumps(answer).encode() + b"\n", content
        except IrregularError:
            return b'{"error": "IRREGULAR", "message": "not a regular file"}\n', b""
        except Exception as error:
            return describe_error(error) + b"\n", b""

    def do_home(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        return {"path": home_folder().decode("utf-8", "surrogateescape")}, b""

    def do_stat(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        status = os.lstat(path_of(request["path"]))
        kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
        kind = kinds.get(stat.S_IFMT(status.st_mode), "other")
        return {"kind": kind, "size": status.st_size, "mode": stat.S_IMODE(status.st_mode)}, b""

    def do_makeFolder(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        make_folder(path_of(request["path"]), request["mode"])
        return {}, b""

    def do_free(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        status = os.statvfs(path_of(request["path"]))
        return {"bytes": status.f_bavail * status.f_frsize}, b""

    def do_open(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        descriptor = open_regular(path_of(request["path"]))
        self.opened[request["handle"]] = descriptor
        return {"size": os.fstat(descriptor).st_size}, b""

    def do_read(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        descriptor, offset, left = self.opened[request["handle"]], request["offset"], request["length"]
        parts: list[bytes] = []
        while left > 0:
            part = os.pread(descriptor, left, offset)
            if not part:
                break
            parts.append(part)
            offset, left = offset + len(part), left - len(part)
        return {}, parts[0] if len(parts) == 1 else b"".join(parts)

    def do_close(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        descriptor = self.opened.pop(request["handle"], None)
        if descriptor is not None:
            os.close(descriptor)
        return {}, b""

    def do_create(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        self.created[request["handle"]] = CreatedFile(path_of(request["path"]))
        return {}, b""

    def do_write(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        self.created[request["handle"]].write(request["offset"], data)
        return {}, b""

    def do_finish(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        self.created.pop(request["handle"]).finish(request["mode"], path_of(request["target"]))
        return {}, b""

    def do_abandon(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        file = self.created.pop(request["handle"], None)
        if file is not None:
            file.abandon()
        return {}, b""

    def do_put(self, request: dict[str, Any], data: memoryview) -> tuple[dict[str, Any], bytes]:
        file = CreatedFile(path_of(request["path"]))
        try:
            file.write(0, data)
        except OSError:
            pass  # `finish` removes the file, and raises it again
        file.finish(request["mode"], path_of(request["target"]))
        return {}, b""


def path_of(text: str) -> bytes:
    """The path that the coordinator means, whatever the locale is here."""
    return text.encode("utf-8", "surrogateescape")


def home_folder() -> bytes:
    home = os.path.expanduser(b"~")
    return home if home.startswith(b"/") else b"/"


def open_regular(path: bytes) -> int:
    """The descriptor of a regular file. A FIFO does not block it, and it follows no link. IrregularError for everything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        # a link, and a socket
        raise IrregularError() if error.errno in (errno.ELOOP, errno.ENXIO) else error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IrregularError()
    return descriptor


def make_folder(path: bytes, mode: int) -> None:
    """Makes a folder and its parents with this mode. Does nothing where it exists, or a link to a folder is in its place."""
    try:
        os.mkdir(path, mode)
    except FileNotFoundError:
        parent = os.path.dirname(path)
        if parent == path:
            raise
        make_folder(parent, mode)
        return make_folder(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return
    os.chmod(path, mode)  # the umask may have cleared bits
