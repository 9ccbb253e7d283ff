"""What is there where a declared output is missing, and what the program wrote instead."""
from __future__ import annotations

import os
import stat
import time
from time import monotonic as now

from ..workspace.working_copy import is_bytecode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from ..workspace.working_copy import WorkingCopy
    from .attempt import Attempt

MAX_SEEN = 2000  # entries of folders, so that the loop is not held up
MAX_DEPTH = 3  # of folders below the working directory that are looked into
MAX_COMPARED = 200  # names
MAX_NAMED = 3
MAX_NAME_CHARS = 200
SIMILARITY = 0.6  # of two names, as difflib measures it
CLOCK_SECONDS = 1.0  # by which the times of files may lag behind


def describe_missing(top: bytes, name: bytes, shown: str) -> str:
    """The output, and what is at its path in the folder `top`, if anything is."""
    parts = name.split(b"/")
    for index in range(len(parts)):
        part = b"/".join(parts[: index + 1])
        is_last = index == len(parts) - 1
        try:
            mode = os.lstat(os.path.join(top, part)).st_mode
        except FileNotFoundError:
            return shown
        except OSError as error:
            return "{} ({})".format(shown, error.strerror)
        fault = describe_kind(mode) if is_last else describe_parent(mode, parts[index])
        if fault is not None:
            return "{} ({})".format(shown, fault)
    return shown if os.access(os.path.join(top, name), os.R_OK) else shown + " (it cannot be read)"


def describe_kind(mode: int) -> str | None:
    """Why what has this mode is no output; None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return "it is a folder, not a file"
    return "it is a link: have the program write a file there" if stat.S_ISLNK(mode) else "it is no regular file"


def describe_parent(mode: int, name: bytes) -> str | None:
    if stat.S_ISDIR(mode):
        return None
    return "{} is a {}, not a folder".format(show_name(name), "link" if stat.S_ISLNK(mode) else "file")


def find_written(attempt: Attempt, copy: WorkingCopy, missing: list[bytes]) -> list[str]:
    """Files that the attempt wrote and that are no outputs, relative to its working directory: at most MAX_NAMED, those with names
    like a missing output first. In a folder of the node, where others may write too, only those."""
    spec = attempt.program
    known = {name for _, name in spec.outputs}
    if attempt.placement is None:
        made = [name for name in list_new(copy, spec.cwd, missing) if name not in known]
    else:
        made = [name for name in list_recent(attempt.placement.directory, attempt, missing) if name not in known]
    near = select_near(made, missing)
    others = sorted(set(made) - set(near)) if attempt.placement is None else []
    chosen = (near + others)[:MAX_NAMED]
    return [show_name(os.path.relpath(name, spec.cwd or b".")) for name in chosen]


def list_new(copy: WorkingCopy, cwd: bytes, missing: list[bytes]) -> list[bytes]:
    """Files that were made or changed in a working copy: in its working directory, and beside the missing outputs."""
    folders = [(cwd, 1)] + [(os.path.dirname(name), MAX_DEPTH) for name in missing]
    made: list[bytes] = []
    for name, status in walk(copy.path, folders):
        placed = copy.placed.get(name)
        if stat.S_ISREG(status.st_mode) and not is_bytecode(name) and (placed is None or not placed.is_intact(status)):
            made.append(name)
    return made


def list_recent(directory: bytes, attempt: Attempt, missing: list[bytes]) -> list[bytes]:
    """Files that were written in a folder of the node since the attempt began: at its top, and beside the missing outputs."""
    began = time.time() - (now() - attempt.began) - CLOCK_SECONDS
    folders = [(b"", MAX_DEPTH)] + [(os.path.dirname(name), MAX_DEPTH) for name in missing]
    return [name for name, status in walk(directory, folders) if stat.S_ISREG(status.st_mode) and status.st_mtime >= began]


def walk(top: bytes, folders: list[tuple[bytes, int]]) -> Iterator[tuple[bytes, os.stat_result]]:
    """Entries of these folders, each given with its depth, and of those below that are no deeper than MAX_DEPTH. Links are not followed."""
    pending, seen = list(folders), 0
    visited: set[bytes] = set()
    while pending:
        folder, depth = pending.pop(0)
        if folder in visited:
            continue
        visited.add(folder)
        try:
            with os.scandir(os.path.join(top, folder)) as entries:
                for entry in entries:
                    seen += 1
                    if seen > MAX_SEEN:
                        return
                    name = os.path.join(folder, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        if depth < MAX_DEPTH:
                            pending.append((name, depth + 1))
                        continue
                    yield name, entry.stat(follow_symlinks=False)
        except OSError:
            continue


def select_near(made: list[bytes], missing: list[bytes]) -> list[bytes]:
    """Those of the files whose names are like that of a missing output, the most similar first."""
    from difflib import SequenceMatcher

    def similarity(name: bytes) -> float:
        base = os.fsdecode(os.path.basename(name)).lower()
        wanted = [os.fsdecode(os.path.basename(one)).lower() for one in missing[:MAX_NAMED]]
        return max(SequenceMatcher(None, base[:MAX_NAME_CHARS], one[:MAX_NAME_CHARS]).ratio() for one in wanted)

    ranked = sorted(((-similarity(name), name) for name in made[:MAX_COMPARED]))
    return [name for distance, name in ranked if -distance >= SIMILARITY]


def show_name(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return text if len(text) <= MAX_NAME_CHARS else text[:MAX_NAME_CHARS] + "..."
