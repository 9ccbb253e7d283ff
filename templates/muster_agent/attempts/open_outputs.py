"""Outputs that a warm worker has open though it said that its chunk is done: what it has not written yet would be missing in them."""
from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .attempt import Attempt
    from .spec import Spec

MAX_DESCRIPTORS = 4096  # that are looked at, so that the loop is not held up


def find_open_output(pids: list[int], attempt: Attempt) -> str | None:
    """The path of an output in the attempt's working copy that one of these processes has open for writing; None where there is none."""
    assert attempt.work is not None
    top = os.path.realpath(attempt.work) + b"/"
    for pid in pids:
        for name in list_written(b"/proc/%d/fd" % pid):
            if name.startswith(top) and is_output(attempt.program, name[len(top) :]):
                return os.fsdecode(os.path.relpath(name[len(top) :], attempt.program.cwd or b"."))
    return None


def list_written(folder: bytes) -> list[bytes]:
    """The files that a process has open for writing; none where it has ended."""
    found: list[bytes] = []
    try:
        descriptors = os.listdir(folder)
    except OSError:
        return found
    for descriptor in descriptors[:MAX_DESCRIPTORS]:
        link = folder + b"/" + descriptor
        try:
            if os.lstat(link).st_mode & stat.S_IWUSR:
                found.append(os.readlink(link))
        except OSError:
            continue  # it has just been closed
    return found


def is_output(spec: Spec, name: bytes) -> bool:
    return name in spec.output_names or any(found.includes(name) for found in spec.found)
