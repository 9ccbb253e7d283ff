"""Outputs whose names are known when a program has ended: what it made or changed in a folder."""
from __future__ import annotations

import base64
import errno
import os
import re
import stat

from ..byte_text import format_unequal_bytes
from ..paths import parse_relative
from ..workspace.entries import Parent
from ..workspace.file_content import hash_file
from ..workspace.working_copy import is_bytecode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..wire import Message
    from ..workspace.working_copy import WorkingCopy
    from .attempt import Attempt

MAX_SEEN = 100_000  # entries of folders, so that the loop is not held up for long
MAX_NAME_BYTES = 1024
MAX_ALL_NAMES_BYTES = 1 << 20
MAX_INLINE_BYTES = 256 << 10  # of all found files of an attempt: the others are pulled
OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
NARROW_DOWN = "narrow down what outputs names, or raise limits.files"


class OutputFault(OSError):
    """Why the outputs of an attempt cannot be taken, for the user."""


class FoundOutputs:
    """A folder, or a glob. `base` is empty for the top of the working copy."""

    def __init__(self, data: Message):
        self.written: str = data["written"]
        base = parse_relative(data["base"])
        self.base = b"" if base == b"." else base
        self.pattern = re.compile(data["pattern"]) if "pattern" in data else None
        self.depth: int | None = data.get("depth")
        self.at_least: int = data["atLeast"]
        self.at_most: int | None = data.get("atMost")

    def includes(self, name: bytes) -> bool:
        """`name`: the path of a file in the working copy."""
        prefix = self.base + b"/" if self.base else b""
        return name.startswith(prefix) and self.matches(name[len(prefix) :])

    def matches(self, inner: bytes) -> bool:
        """`inner`: the path of a file below the folder."""
        return self.pattern is None or self.pattern.fullmatch(inner.decode("utf-8", "surrogateescape")) is not None


def take_found(attempt: Attempt, copy: WorkingCopy) -> None:
    """Moves the found outputs of an attempt that has succeeded to its folder, before the next attempt gets the working copy. Records
    folders and globs with too few files as missing. OutputFault where what is there is no output, or too much."""
    spec = attempt.program
    taken = {name for _, name in spec.outputs}
    made: list[bytes] = []
    for found in spec.found:
        files = list_made(copy, found)
        check_files(found, files, spec.max_output_bytes)
        if len(files) < found.at_least:
            attempt.missing.append("{} ({})".format(found.written, describe_count(copy, found, len(files))))
        for name in sorted(files):
            if name not in taken:
                taken.add(name)
                made.append(name)
    if len(made) > spec.file_limit:
        raise OutputFault("{} output files, more than {}: {}".format(len(made), spec.file_limit, NARROW_DOWN))
    if sum(len(name) for name in made) > MAX_ALL_NAMES_BYTES:
        raise OutputFault("the paths of the output files have more than {} bytes: {}".format(MAX_ALL_NAMES_BYTES, NARROW_DOWN))
    if attempt.missing:
        return
    for name in made:
        with Parent(copy.path, name) as source, Parent(os.fsencode(attempt.folder), b"work/" + name, make=True) as target:
            os.rename(source.name, target.name, src_dir_fd=source.fd, dst_dir_fd=target.fd)
    attempt.found = made


def list_made(copy: WorkingCopy, found: FoundOutputs) -> dict[bytes, int]:
    """The sizes of the files that the attempt made or changed, by their paths in the working copy."""
    files: dict[bytes, int] = {}
    if not is_folder(copy.path, found.base):
        return files
    seen, pending = 0, [(found.base, 1)]
    while pending:
        folder, depth = pending.pop()
        with os.scandir(copy.path + b"/" + folder) as entries:
            for entry in entries:
                seen += 1
                if seen > MAX_SEEN:
                    raise OutputFault("more than {} files and folders in {}: {}".format(MAX_SEEN, found.written, NARROW_DOWN))
                name = folder + b"/" + entry.name if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if found.depth is None or depth < found.depth:
                        pending.append((name, depth + 1))
                    continue
                inner = name[len(found.base) + 1 :] if found.base else name  # fmt: skip
                if (found.depth is not None and depth != found.depth) or is_bytecode(name) or not found.matches(inner):
                    continue
                status = entry.stat(follow_symlinks=False)
                placed = copy.placed.get(name)
                if placed is None or not placed.is_intact(status):
                    check_kind(name, status)
                    files[name] = status.st_size
    return files


def check_kind(name: bytes, status: os.stat_result) -> None:
    try:
        shown = name.decode()
    except UnicodeDecodeError:
        raise OutputFault("the name of the output {} is not UTF-8".format(name.decode("utf-8", "replace"))) from None
    if len(name) > MAX_NAME_BYTES:
        raise OutputFault("the path of the output {}... has more than {} bytes".format(shown[:100], MAX_NAME_BYTES))
    if stat.S_ISLNK(status.st_mode):
        raise OutputFault("the output {} is a link: have the program write a file there".format(shown))
    if not stat.S_ISREG(status.st_mode):
        raise OutputFault("the output {} is neither a file nor a folder".format(shown))


def check_files(found: FoundOutputs, files: dict[bytes, int], max_bytes: int) -> None:
    if found.at_most is not None and len(files) > found.at_most:
        raise OutputFault("{} has {} files, more than at_most {}".format(found.written, len(files), found.at_most))
    total = sum(files.values())
    if total > max_bytes:
        message = "the files of {} have {}, more than the {} that the job allows (limits.output)"
        raise OutputFault(message.format(found.written, *format_unequal_bytes(total, max_bytes)))


def describe_count(copy: WorkingCopy, found: FoundOutputs, count: int) -> str:
    """What is there where outputs are missing."""
    if count:
        return "{} files, at least {} are needed".format(count, found.at_least)
    return "no new file" if is_folder(copy.path, found.base) else "no such folder"


def is_folder(top: bytes, path: bytes) -> bool:
    """Whether there is a folder that is reached without any link."""
    parts = [part for part in path.split(b"/") if part]
    paths = [top + b"/" + b"/".join(parts[: index + 1]) for index in range(len(parts))]
    try:
        return all(stat.S_ISDIR(os.lstat(path).st_mode) for path in paths)
    except OSError:
        return False


def describe_found(folder: str, names: list[bytes], max_data_bytes: int) -> list[dict[str, Any]]:
    """Outputs of the message `done`: of files that were moved to the attempt's folder. Small ones have their content, up to
    MAX_INLINE_BYTES in all. OSError where one cannot be read."""
    outputs: list[dict[str, Any]] = []
    inline_bytes = 0
    for name in names:
        fd = os.open(os.path.join(os.fsencode(folder), b"work", name), OPEN_FLAGS)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, "it is no regular file any more", os.fsdecode(name))
            size, sha256 = hash_file(fd)
            output: dict[str, Any] = {"path": name.decode(), "size": size, "sha256": sha256}
            if size <= max_data_bytes and inline_bytes + size <= MAX_INLINE_BYTES:
                inline_bytes += size
                output["data"] = base64.b64encode(os.pread(fd, size, 0)).decode()
        finally:
            os.close(fd)
        outputs.append(output)
    return outputs
