"""Holds the lock with which one provision at a time changes a node, and records which playbooks succeeded. Python 3.8+.

    python3 - SECONDS     waits at most that long; prints its messages as lines of JSON that begin {"muster_hold": 1,

The kernel releases the lock when this program ends, however it ends; it ends with its stdin. A line of JSON on stdin,
{"playbooks": [...]}, records that these playbooks succeeded since this boot. The folder is in /dev/shm, so a reboot empties it.
"""
from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

FOLDER = "/dev/shm/muster-{}".format(os.geteuid())
LOCK = os.path.join(FOLDER, "lock")
RECORD = os.path.join(FOLDER, "provisioned.json")


class LockTimeout(Exception):
    pass


def send(state: str, **more: Any) -> None:
    sys.stdout.write("\n" + json.dumps(dict({"muster_hold": 1, "state": state}, **more)) + "\n")
    sys.stdout.flush()


def make_private_folder() -> None:
    """OSError where another user has the folder, or may write to it."""
    try:
        os.mkdir(FOLDER, 0o700)
    except FileExistsError:
        pass
    status = os.lstat(FOLDER)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise OSError("{} belongs to somebody else; remove it".format(FOLDER))


def raise_timeout(*_: object) -> None:
    raise LockTimeout


def acquire_lock(timeout_seconds: float) -> int:
    """The descriptor of the locked file. LockTimeout where another process keeps the lock for longer."""
    signal.signal(signal.SIGALRM, raise_timeout)
    is_waiting = False
    while True:
        make_private_folder()
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not is_waiting:
                send("waiting")
                signal.setitimer(signal.ITIMER_REAL, max(timeout_seconds, 0.001))
                is_waiting = True
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # The file may have been removed and made again meanwhile.
        if is_current(descriptor):
            signal.setitimer(signal.ITIMER_REAL, 0)
            return descriptor
        os.close(descriptor)


def is_current(descriptor: int) -> bool:
    """Whether the open file is still the one at LOCK."""
    try:
        return os.fstat(descriptor).st_ino == os.stat(LOCK).st_ino
    except FileNotFoundError:
        return False


def read_boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def read_succeeded() -> list[str]:
    """The playbooks that succeeded since this boot."""
    try:
        with open(RECORD) as file:
            record = json.load(file)
        return [str(one) for one in record["playbooks"]] if record["boot"] == read_boot_id() else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def add_succeeded(playbooks: Iterable[str]) -> None:
    make_private_folder()  # logind may have removed it: the user's last session has ended (RemoveIPC)
    temporary = RECORD + ".new"
    with open(temporary, "w") as file:
        json.dump({"boot": read_boot_id(), "playbooks": sorted(set(read_succeeded()) | set(playbooks))}, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, RECORD)


def main() -> None:
    try:
        descriptor = acquire_lock(float(sys.argv[1]))
        send("held", playbooks=read_succeeded())
        for line in sys.stdin:
            add_succeeded(json.loads(line)["playbooks"])
            send("recorded")
        os.close(descriptor)
    except LockTimeout:
        send("busy")
    except (OSError, ValueError, KeyError) as error:
        send("error", reason=getattr(error, "strerror", None) or str(error))


main()
