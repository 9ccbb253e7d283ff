"""Finds out after a failure whether the node's disk has room."""
from __future__ import annotations

import errno
import os
import tempfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MIN_FREE_BYTES = 1 << 20  # with less, hardly any program can write its result
PROBE_BYTES = 64 << 10
FULL = (errno.ENOSPC, errno.EDQUOT)


def describe_full_disk(folder: str) -> dict[str, Any] | None:
    """What is known about the file system of `folder` where nothing, or next to nothing, can be written there; None where there is
    room, or that cannot be found out. A quota shows only when something is written."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return None
    free = status.f_bavail * status.f_frsize
    refusal = try_to_write(folder)
    if free >= MIN_FREE_BYTES and refusal is None:
        return None
    report = {"path": folder, "free": free, "total": status.f_blocks * status.f_frsize}
    if status.f_files > 0 and status.f_favail == 0:
        report["inodes"] = 0
    if refusal == errno.EDQUOT:
        report["quota"] = True
    return report


def try_to_write(folder: str) -> int | None:
    """The number of the error that a file of PROBE_BYTES gets for want of room; None where it can be written, or fails otherwise."""
    try:
        with tempfile.TemporaryFile(prefix=".room-", dir=folder) as probe:
            probe.write(b"\x01" * PROBE_BYTES)
            probe.flush()
    except OSError as error:
        return error.errno if error.errno in FULL else None
    return None
