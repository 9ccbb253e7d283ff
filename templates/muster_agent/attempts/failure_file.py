"""The file into which a program may write why it fails, before it exits with another status than 0: "final REASON" where no further
attempt can succeed, else "retry REASON". $MUSTER_FAILURE names it."""
from __future__ import annotations

import os
import stat

MAX_BYTES = 2048


def failure_path(folder: str) -> str:
    return folder + "/failure"


def read_failure(folder: str) -> tuple[bool, str] | None:
    """Whether the failure is final, and the reason; None where the program gave none."""
    try:
        fd = os.open(failure_path(folder), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        line = os.read(fd, MAX_BYTES).split(b"\n")[0]
    except OSError:
        return None
    finally:
        os.close(fd)
    word, _, reason = line.decode("utf-8", "replace").strip().partition(" ")
    if word not in ("final", "retry") or not reason.strip():
        return None
    return word == "final", reason.strip()
