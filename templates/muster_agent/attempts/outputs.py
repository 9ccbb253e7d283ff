"""Declared outputs of an attempt that has ended."""
from __future__ import annotations

import base64
import errno
import hashlib
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .attempt import Attempt

MAX_INLINE_HASH_BYTES = 1 << 20  # larger files are hashed in the worker thread
TOO_LARGE = "it has {} bytes, more than the {} that the job allows (limits.output)"


def collect_outputs(attempt: Attempt, max_data_bytes: int) -> list[tuple[str, int]]:
    """Adds the outputs to the attempt, and those that are missing. Returns (path, open descriptor) of those that are too large to
    be hashed here. OSError where one cannot be read, or is larger than the job allows; then no descriptor stays open."""
    large: list[tuple[str, int]] = []
    try:
        for path, name in attempt.program.outputs:
            fd = open_output(attempt.folder + "/work", name)
            if fd is None:
                attempt.missing.append(path)
                continue
            large.append((path, fd))
            size = os.fstat(fd).st_size
            if size > attempt.program.max_output_bytes:
                raise OSError(errno.EFBIG, TOO_LARGE.format(size, attempt.program.max_output_bytes), path)
            if size <= MAX_INLINE_HASH_BYTES:
                attempt.outputs.append(describe_output(path, os.read(fd, size), max_data_bytes))
                os.close(large.pop()[1])
    except OSError:
        for _, fd in large:
            os.close(fd)
        raise
    return large


def describe_output(path: str, data: bytes, max_data_bytes: int) -> dict[str, Any]:
    """An output of the message `done`. It has the file's content where that is no longer than `max_data_bytes`."""
    output: dict[str, Any] = {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if len(data) <= max_data_bytes:
        output["data"] = base64.b64encode(data).decode()
    return output


def open_output(work: str, name: bytes) -> int | None:
    """A descriptor of a regular file that is reached without any link; None where there is none."""
    fd = None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        *parents, last = name.split(b"/")
        for part in [os.fsencode(work)] + parents:
            inner = os.open(part, flags | os.O_DIRECTORY, dir_fd=fd)
            if fd is not None:
                os.close(fd)
            fd = inner
        file = os.open(last, flags, dir_fd=fd)
    except OSError:
        return None
    finally:
        if fd is not None:
            os.close(fd)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None


def hash_file(fd: int) -> tuple[int, str]:
    """(size, SHA-256) of all that can be read."""
    digest = hashlib.sha256()
    offset = 0
    while True:
        block = os.pread(fd, 1 << 20, offset)
        if not block:
            return offset, digest.hexdigest()
        digest.update(block)
        offset += len(block)
