"""The environment of an allocation of Slurm, for a relay that no step of it has started."""
from __future__ import annotations

import os
import time

WAIT_SECONDS = 10.0
LOOK_SECONDS = 0.2
VARIABLE = b"SLURM_JOB_ID="


class AllocationError(Exception):
    pass


def enter_allocation(job: bytes) -> None:
    """Takes the environment of this user's processes in the allocation: Slurm has bound GPUs in it. AllocationError where there are none."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        environment = find_environment(job)
        if environment is not None:
            os.environb.clear()
            os.environb.update(environment)
            return
        if time.monotonic() > deadline:
            raise AllocationError("no process of job {} runs here".format(job.decode("ascii", "replace")))
        time.sleep(LOOK_SECONDS)


def find_environment(job: bytes) -> dict[bytes, bytes] | None:
    for name in filter(str.isdigit, os.listdir("/proc")):
        entries = read_environment("/proc/" + name)
        if VARIABLE + job in entries:
            return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry[1:])
    return None


def read_environment(process: str) -> list[bytes]:
    """Empty for a process of another user, and one that has ended."""
    try:
        if os.stat(process).st_uid != os.geteuid():
            return []
        with open(process + "/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []
