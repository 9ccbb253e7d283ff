"""Runs programs that may never end: not even SIGKILL ends a process that is stuck in a call of the driver."""

import os
import signal
import subprocess
import tempfile
import time
from math import inf
from typing import Callable, Dict, List, NamedTuple, Optional

from .outcome import Failed

KILL_SECONDS = 5  # until a killed process is given up


class Deadline:
    """When the check that is made must have ended, so that one that hangs leaves time for the others."""

    def __init__(self) -> None:
        self.at = inf

    def limit(self, seconds: float) -> float:
        """So many seconds, or those that are left where these are fewer."""
        return min(seconds, max(0.0, self.at - time.monotonic()))

    def wait_until(self, what: str, seconds: float, holds: Callable[[], bool]) -> None:
        """Raises Failed where it does not hold within so many seconds, or until the deadline."""
        limit = self.limit(seconds)
        begun = time.monotonic()
        while not holds():
            if time.monotonic() > begun + limit:
                raise Failed("{:.0f} s passed, and not: {}".format(limit, what))
            time.sleep(0.05)


class Ended(NamedTuple):
    """`status`: the exit status, negative after a signal; None where the program did not end in time."""

    status: Optional[int]
    out: str
    err: str


def run_program(argv: List[str], seconds: float, folder: Optional[str] = None, env: Optional[Dict[str, str]] = None) -> Ended:
    """Runs a program to its end, or kills it after so many seconds. `env` adds to the environment. OSError where it does not start."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            argv, cwd=folder, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )  # fmt: skip
        try:
            status: Optional[int] = child.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            kill_program(child)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return Ended(status, *texts)


def kill_program(child: "subprocess.Popen[bytes]") -> None:
    """Kills a program that has a session of its own, with its children, unless it has ended; waits for its end, but not for ever."""
    if child.poll() is not None:
        return
    try:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(KILL_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        pass


def find_processes(folder: str) -> Dict[int, List[str]]:
    """The command lines of the processes whose working directory is in this folder, by process id."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            place = os.readlink("/proc/{}/cwd".format(name))
            with open("/proc/{}/cmdline".format(name), "rb") as file:
                words = file.read().decode("utf-8", "replace").split("\0")
        except OSError:  # gone, or somebody else's
            continue
        if (place + "/").startswith(folder + "/") and int(name) != os.getpid():
            found[int(name)] = words
    return found


def find_chunks(folder: str) -> List[int]:
    """Processes of chunks below a work folder of a node."""
    names = ("card.py", "sieve.py")
    return [pid for pid, words in find_processes(folder).items() if any(os.path.basename(word) in names for word in words)]


def kill_processes(pids: List[int]) -> None:
    """Kills them; waits for their end, but not for ever."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    until = time.monotonic() + KILL_SECONDS
    while any(is_running(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """False of a zombie, which holds nothing any more."""
    try:
        with open("/proc/{}/stat".format(pid)) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
