"""Lays out the state folder of an attempt, and reads what its program saved there."""
from __future__ import annotations

import errno
import os
import stat

from ..byte_text import format_bytes
from ..paths import parse_relative
from ..workspace.file_content import copy_file, hash_file, link
from ..workspace.tree_removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wire import Message
    from ..workspace.content_store import ContentStore

MAX_NAME_BYTES = 255
MAX_FILES = 1000
MAX_PATH_BYTES = 256 << 10  # of all paths together, so that a message stays below the coordinator's limit of a line


class StateFault(ValueError):
    """Why a state cannot be kept, for the user."""


def state_path(folder: str) -> str:
    return folder + "/state"


def lay_out(folder: str, kept: Message | None, store: ContentStore) -> None:
    """Makes the state folder of an attempt, with what an earlier attempt of its chunk saved. `folder`: of the attempt. OSError,
    ValueError, and MissingContent where a file is not stored."""
    top = state_path(folder)
    os.mkdir(top, 0o700)
    if kept is None:
        return
    name = parse_relative(kept["name"])
    for file in kept["files"]:
        target = os.path.join(os.fsencode(top), name, parse_relative(file["path"]))
        os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
        copy_file(store.path(file["sha256"]), target, 0o600)
    os.makedirs(os.path.join(os.fsencode(top), name), 0o700, exist_ok=True)
    with open(top + "/current", "wb") as current:
        current.write(name)


def read_current(folder: str) -> tuple[bytes, int, int] | None:
    """The name of the folder that the program saved last, with the inode and the time of `current`: programs may use a name twice. None
    where there is none. StateFault where it is no name."""
    try:
        fd = os.open(state_path(folder) + "/current", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StateFault("`current` is a link: write a file that holds the folder's name, and rename it")
        raise
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise StateFault("`current` is no file")
        name = os.read(fd, MAX_NAME_BYTES + 2).strip()
    finally:
        os.close(fd)
    if len(name) > MAX_NAME_BYTES or b"/" in name or b"\0" in name or name in (b"", b".", b"..", b"current") or not is_text(name):
        raise StateFault("`current` does not hold the name of a folder beside it, in UTF-8")
    return name, status.st_ino, status.st_mtime_ns


def take_state(folder: str, name: bytes, number: int, limit_bytes: int) -> Message:
    """Links the files of a saved state into a folder of their own, where they stay when the program removes its own, makes them durable,
    and describes them. Reads all of them: call it in the worker thread. StateFault where they cannot be kept, and OSError."""
    source = os.path.join(os.fsencode(state_path(folder)), name)
    target = os.fsencode("{}/saved/{}".format(folder, number))
    os.makedirs(target, 0o700)
    try:
        files = list_files(source)
        total = sum(size for _, size in files)
        if total > limit_bytes:
            raise StateFault(
                "it has {}, more than the {} that the job allows (limits.state)".format(format_bytes(total), format_bytes(limit_bytes))
            )
        for path, _ in files:
            keep_file(source, target, path)
        described = [describe_file(target, path) for path, _ in files]
    except BaseException:
        remove_tree(os.fsdecode(target))
        raise
    return {"name": name.decode(), "folder": number, "files": described}


def list_files(top: bytes) -> list[tuple[bytes, int]]:
    """The files below a folder by relative path, with their sizes. StateFault where there is anything else, or too much."""
    if os.path.islink(top) or not os.path.isdir(top):
        raise StateFault("`current` names {}, which is no folder".format(show(os.path.basename(top))))
    found: list[tuple[bytes, int]] = []
    path_bytes = 0
    for folder, folders, names in os.walk(top, onerror=refuse):
        for name in names + [one for one in folders if os.path.islink(os.path.join(folder, one))]:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, top)
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode):
                raise StateFault("{} is no regular file".format(show(relative)))
            if not is_text(relative):
                raise StateFault("the name of {} is not UTF-8".format(show(relative)))
            path_bytes += len(relative)
            found.append((relative, status.st_size))
            if len(found) > MAX_FILES or path_bytes > MAX_PATH_BYTES:
                raise StateFault("it has more than {} files, or their paths are too long: pack them into one file".format(MAX_FILES))
    return sorted(found)


def refuse(error: OSError) -> None:
    """For os.walk, which skips folders that cannot be read."""
    raise error


def keep_file(source: bytes, target: bytes, path: bytes) -> None:
    kept = os.path.join(target, path)
    os.makedirs(os.path.dirname(kept), 0o700, exist_ok=True)
    original = os.path.join(source, path)
    if not link(os.fsdecode(original), kept):
        copy_file(os.fsdecode(original), kept, 0o600)


def describe_file(target: bytes, path: bytes) -> Message:
    """Makes a file durable that is kept, and describes it."""
    fd = os.open(os.path.join(target, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        size, sha256 = hash_file(fd)
        os.fsync(fd)
    finally:
        os.close(fd)
    return {"path": path.decode(), "size": size, "sha256": sha256}


def is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def show(path: bytes) -> str:
    return path.decode("utf-8", "replace")
