"""The file through which a program shares what it has not begun of its range. $MUSTER_RANGE names a file in its attempt's
folder, which the program creates: "next end", two integers. The program takes units [next, x) by writing x there before it
begins them; the agent lowers `end`. Each holds the file's lock (flock) while it reads and writes."""
from __future__ import annotations

import fcntl
import os
import re
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .attempt import Attempt

CONTENT = re.compile(rb"\s*([0-9]{1,100})\s+([0-9]{1,100})\s*\Z")


def range_path(folder: str) -> str:
    return folder + "/range"


def read_next_unit(attempt: Attempt) -> int | None:
    """The first unit that the program has not begun; None where it has no such file, or holds its lock at the moment."""
    try:
        fd = os.open(range_path(attempt.folder), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        content = CONTENT.match(os.pread(fd, 256, 0))
        return None if content is None else int(content.group(1))
    except OSError:
        return None
    finally:
        os.close(fd)


def give_away(attempt: Attempt, share: float) -> int | None:
    """Takes about `share` of the units that have not begun away from the program. Returns where its range ends now; None where
    the program has no such file. BlockingIOError while the program holds the lock."""
    try:
        fd = os.open(range_path(attempt.folder), os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        content = CONTENT.match(os.pread(fd, 256, 0))
        if content is None:
            return None
        begun, end = int(content.group(1)), int(content.group(2))
        count = max(0, end - begun) * max(0, min(1000, int(share * 1000))) // 1000
        if count > 0:
            end -= count
            text = b"%d %d\n" % (begun, end)
            os.pwrite(fd, text, 0)
            os.ftruncate(fd, len(text))
            attempt.end = end
        return end
    finally:
        os.close(fd)
