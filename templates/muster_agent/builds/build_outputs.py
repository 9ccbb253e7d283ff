"""The files that a build made."""
from __future__ import annotations

import glob
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict

    FoundFiles = Dict[bytes, os.stat_result]

MAX_FILES = 20_000
MAX_BYTES = 1 << 30
NARROW_DOWN = "name only what the programs need in the build's outputs"


class BuildError(OSError):
    """Why a build failed, for the user."""


def find_outputs(copy: bytes, outputs: list[bytes]) -> FoundFiles:
    """The files and links that these paths and globs name, by their paths in the working copy. Folders count with all that is in
    them. BuildError where one names nothing, leads out of the copy, or is neither a file nor a folder, or where they are too many
    or too large."""
    found: FoundFiles = {}
    for output in outputs:
        names = list_matches(copy, output)
        if sum(add_files(copy, name, found) for name in names) == 0:
            raise BuildError("it ended well, but made no file {}".format(show(output)))
    if sum(status.st_size for status in found.values()) > MAX_BYTES:
        raise BuildError("its outputs have more than {} MiB; {}".format(MAX_BYTES >> 20, NARROW_DOWN))
    return found


def list_matches(copy: bytes, output: bytes) -> list[bytes]:
    """The paths in the copy that an output names: itself where it exists, otherwise all that it matches as a glob."""
    if os.path.lexists(os.path.join(copy, output)):
        return [output]
    if not glob.has_magic(output):
        return []
    matches = glob.glob(os.path.join(glob.escape(copy), output), recursive=True)
    return sorted(os.path.relpath(match, copy) for match in matches)


def remove_matches(copy: bytes, outputs: list[bytes]) -> None:
    """Removes the files of a working copy that outputs name, as a build starts without them. Folders stay: they may hold sources."""
    for name in [name for output in outputs for name in list_matches(copy, output)]:
        path = os.path.join(copy, name)
        if is_direct(copy, name) and not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)


def is_direct(copy: bytes, name: bytes) -> bool:
    """Whether no folder on the way to a file is a link."""
    folder = os.path.join(os.path.realpath(copy), os.path.dirname(name)).rstrip(b"/")
    return os.path.realpath(folder) == folder


def add_files(copy: bytes, name: bytes, found: FoundFiles) -> int:
    """Adds the file `name`, or all files below it; returns how many there are."""
    if not is_direct(copy, name):
        raise BuildError("{} lies behind a link: name the file that the link leads to".format(show(name)))
    count, pending = 0, [name]
    while pending:
        path = pending.pop()
        status = os.lstat(os.path.join(copy, path))
        if stat.S_ISDIR(status.st_mode):
            pending.extend(os.path.join(path, inner) for inner in os.listdir(os.path.join(copy, path)))
            continue
        check_kind(copy, path, status)
        found[path] = status
        count += 1
        if len(found) > MAX_FILES:
            raise BuildError("its outputs are more than {} files; {}".format(MAX_FILES, NARROW_DOWN))
    return count


def check_kind(copy: bytes, name: bytes, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if not stat.S_ISLNK(status.st_mode):
        raise BuildError("{} is neither a file, a folder nor a link".format(show(name)))
    target = os.readlink(os.path.join(copy, name))
    inner = os.path.normpath(os.path.join(os.path.dirname(name), target))
    if target.startswith(b"/") or inner.split(b"/")[0] == b"..":
        raise BuildError("{} is a link out of the project, to {}: copy the file instead".format(show(name), show(target)))


def show(name: bytes) -> str:
    return name.decode("utf-8", "replace")
