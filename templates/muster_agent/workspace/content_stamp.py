"""Tells whether a stored content was written to since its SHA-256 was compared."""
from __future__ import annotations

import hashlib
import os
import stat

SECOND_NS = 1_000_000_000
READ_ONLY = 0o444  # mode of stored contents
AGE_NS = 2 * SECOND_NS  # stamps are older than any later change, however coarse the clock of the file system is


def stamp(path: str, sha256: str) -> None:
    """Records in the time of a file that it has this SHA-256: the fraction of the second depends on hash, size and inode. Whoever
    writes to the file or puts another in its place changes one of them."""
    status = os.lstat(path)
    mtime_ns = with_fraction(status.st_mtime_ns - AGE_NS, sha256, status)
    os.utime(path, ns=(status.st_atime_ns, mtime_ns), follow_symlinks=False)


def is_stamped(status: os.stat_result, sha256: str) -> bool:
    """Whether a file is as it was when it was stamped. Its ctime does not count: links change it."""
    return stat.S_ISREG(status.st_mode) and status.st_mtime_ns == with_fraction(status.st_mtime_ns, sha256, status)


def with_fraction(mtime_ns: int, sha256: str, status: os.stat_result) -> int:
    record = "{} {} {}".format(sha256, status.st_size, status.st_ino)
    fraction = int(hashlib.sha256(record.encode()).hexdigest()[:15], 16) % SECOND_NS
    return mtime_ns // SECOND_NS * SECOND_NS + fraction
