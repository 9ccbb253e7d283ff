"""Files of the user that lie where an attempt writes: moved into the attempt's folder before it starts, and back when it ends.

a/ID/aside.json names them, and is on disk before the first is moved; a/ID/aside/N is the Nth of them. A file that is there is to be put
back, whoever finds it: the agent that moved it, the next one, or whoever is about to delete the folder."""
from __future__ import annotations

import json
import os
import stat

from ..workspace.entries import Parent, find_entry, move

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

RECORD, FOLDER = "aside.json", "aside"
NOT_RESTORED = "{} could not be put back: {}. It lies in {}; move it back by hand"


def set_aside(attempt: str, directory: bytes, paths: Iterable[bytes]) -> None:
    """Moves what lies at these paths below `directory` into the folder `attempt`. OSError where one is neither a file nor a link, or
    cannot be moved; then `restore` puts back those that were."""
    found = [path for path in paths if is_movable(directory, path)]
    if not found:
        return
    os.mkdir(os.path.join(attempt, FOLDER), 0o700)
    write_record(attempt, {"directory": os.fsdecode(directory), "paths": [os.fsdecode(path) for path in found]})
    for number, path in enumerate(found):
        with Parent(directory, path) as source, Parent(os.fsencode(attempt), place(number)) as target:
            move(source, target)


def is_movable(directory: bytes, path: bytes) -> bool:
    """Whether something lies there. OSError where it is neither a file nor a link."""
    status = find_entry(directory, path)
    if status is None:
        return False
    if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
        return True
    raise OSError(None, "it is neither a file nor a link", os.path.join(directory, path))


def place(number: int) -> bytes:
    return "{}/{}".format(FOLDER, number).encode()


def write_record(attempt: str, record: dict[str, object]) -> None:
    path = os.path.join(attempt, RECORD)
    with open(path + ".part", "w") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".part", path)
    for folder in (attempt, os.path.dirname(attempt)):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fsync(fd)
        os.close(fd)


def has_record(attempt: str) -> bool:
    """Whether files of the user may lie in the attempt's folder."""
    return os.path.lexists(os.path.join(attempt, RECORD))


def restore(attempt: str) -> list[str]:
    """Puts back all that lies in the attempt's folder, over what is there now. Returns what could not be put back, why, and where it
    is; after that, it may be called again."""
    try:
        with open(os.path.join(attempt, RECORD)) as file:
            record = json.load(file)
        directory, paths = os.fsencode(record["directory"]), [os.fsencode(path) for path in record["paths"]]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [NOT_RESTORED.format("files of the user", error, os.path.join(os.path.realpath(attempt), FOLDER))]
    problems = [restore_one(attempt, number, directory, path) for number, path in enumerate(paths)]
    left = [problem for problem in problems if problem is not None]
    if not left:
        try:
            os.unlink(os.path.join(attempt, RECORD))
        except FileNotFoundError:
            pass  # an attempt of another run, or its agent, has put them back at the same time
    return left


def restore_one(attempt: str, number: int, directory: bytes, path: bytes) -> str | None:
    """Why it could not be put back, or None."""
    try:
        if find_entry(os.fsencode(attempt), place(number)) is None:
            return None
        with Parent(os.fsencode(attempt), place(number)) as source, Parent(directory, path, make=True) as target:
            move(source, target)
    except OSError as error:
        found = os.path.join(os.path.realpath(attempt), os.fsdecode(place(number)))
        if not os.path.lexists(os.path.join(attempt, os.fsdecode(place(number)))):
            return None
        return NOT_RESTORED.format(os.fsdecode(os.path.join(directory, path)), error.strerror, found)
    return None


def restore_all(root: str) -> list[str]:
    """The same for all attempts of a run's folder."""
    try:
        ids = sorted(os.listdir(os.path.join(root, "a")))
    except OSError:
        return []
    return [problem for id in ids for problem in restore(os.path.join(root, "a", id))]


def take_output(directory: bytes, path: bytes, work: bytes) -> None:
    """Moves an output that lies in `directory` to the same path in the folder `work`, unless it is not there, or no regular file."""
    status = find_entry(directory, path)
    if status is not None and stat.S_ISREG(status.st_mode) and find_entry(work, path) is None:
        with Parent(directory, path) as source, Parent(work, path, make=True) as target:
            move(source, target)


def remove_output(directory: bytes, path: bytes) -> None:
    """Removes what a failed attempt left where its output belongs."""
    status = find_entry(directory, path)
    if status is not None and stat.S_ISREG(status.st_mode):
        with Parent(directory, path) as parent:
            os.unlink(parent.name, dir_fd=parent.fd)
