"""Declared outputs of an attempt that has ended."""
from __future__ import annotations

import base64
import errno
import hashlib
import os
import stat

from ..byte_text import format_unequal_bytes
from ..workspace.file_content import hash_file
from .missing_outputs import describe_missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .attempt import Attempt

MAX_INLINE_HASH_BYTES = 1 << 20  # larger files are hashed in the worker thread
TOO_LARGE = "it has {}, more than the {} that the job allows (limits.output)"


def take_outputs(attempt: Attempt, max_data_bytes: int) -> None:
    """Opens the outputs of an attempt that has ended, and records those that are missing, before the next attempt gets the working
    copy. Those whose content does not go into a message move to the attempt's folder. OSError where one cannot be moved."""
    assert attempt.work is not None
    for path, name in attempt.program.outputs:
        found = open_output(attempt.work, name)
        if found is None:
            attempt.missing_names.append(name)
            attempt.missing.append(describe_missing(top_of(attempt, name), name, show_path(attempt, name)))
            continue
        folder, fd = found
        attempt.files.append((path, fd))
        try:
            if os.fstat(fd).st_size > max_data_bytes:
                move_output(folder, name, os.fsencode(attempt.folder) + b"/work/" + name)
        finally:
            os.close(folder)


def top_of(attempt: Attempt, name: bytes) -> bytes:
    """The folder that the path of an output is relative to, where the program writes it."""
    assert attempt.work is not None
    placement = attempt.placement
    return placement.directory if placement and name in attempt.program.plain else attempt.work


def show_path(attempt: Attempt, name: bytes) -> str:
    """The path of an output, relative to the working directory."""
    return os.path.relpath(name, attempt.program.cwd or b".").decode("utf-8", "replace")


def move_output(folder: int, name: bytes, target: bytes) -> None:
    os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
    os.rename(os.path.basename(name), target, src_dir_fd=folder)


def collect_outputs(attempt: Attempt, max_data_bytes: int) -> list[tuple[str, int]]:
    """Adds the outputs that were taken to the result. Returns (path, open descriptor) of those that are too large to be hashed
    here. OSError where one cannot be read, or is larger than the job allows; then no descriptor stays open."""
    large: list[tuple[str, int]] = []
    files, attempt.files = attempt.files, []
    try:
        for path, fd in files:
            size = os.fstat(fd).st_size
            if size > attempt.program.max_output_bytes:
                raise OSError(errno.EFBIG, TOO_LARGE.format(*format_unequal_bytes(size, attempt.program.max_output_bytes)), path)
            if size > MAX_INLINE_HASH_BYTES:
                large.append((path, fd))
            else:
                attempt.outputs.append(describe_output(path, os.read(fd, size), max_data_bytes))
    except OSError:
        large = []
        raise
    finally:
        kept = {fd for _, fd in large}
        for _, fd in files:
            if fd not in kept:
                os.close(fd)
    return large


def describe_output(path: str, data: bytes, max_data_bytes: int) -> dict[str, Any]:
    """An output of the message `done`. It has the file's content where that is no longer than `max_data_bytes`."""
    output: dict[str, Any] = {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if len(data) <= max_data_bytes:
        output["data"] = base64.b64encode(data).decode()
    return output


def describe_large(path: str, fd: int) -> dict[str, Any]:
    """The same without the content, for a file of any size. OSError where it cannot be read."""
    size, sha256 = hash_file(fd)
    return {"path": path, "size": size, "sha256": sha256}


def open_output(work: bytes, name: bytes) -> tuple[int, int] | None:
    """Descriptors of its folder and of a regular file that is reached without any link; None where there is none."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    *parents, last = name.split(b"/")
    folder: int | None = None
    try:
        for part in [work] + parents:
            inner = os.open(part, flags | os.O_DIRECTORY, dir_fd=folder)
            if folder is not None:
                os.close(folder)
            folder = inner
        file = os.open(last, flags, dir_fd=folder)
    except OSError:
        if folder is not None:
            os.close(folder)
        return None
    assert folder is not None
    if stat.S_ISREG(os.fstat(file).st_mode):
        return folder, file
    os.close(file)
    os.close(folder)
    return None
