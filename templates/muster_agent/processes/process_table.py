"""Processes of this node, read from /proc, and signals to them."""
from __future__ import annotations

import os
import signal
import time
from time import monotonic as now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Collection, Iterable

DEATH_SECONDS = 10.0  # after SIGKILL; a process that lives longer breaks its slot
RESET_SIGNALS = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD]
PR_SET_CHILD_SUBREAPER = 36


class ProcessTable:
    """Processes that belong to this agent: its children, and orphaned descendants."""

    def __init__(self, root: str, boot: str):
        self.boot = boot
        self.root_variable = b"MUSTER_ROOT=" + os.fsencode(root)
        self.is_subreaper = become_subreaper()
        self.fd: int | None = None
        try:
            self.fd = os.open("/proc/self/task/{0}/children".format(os.getpid()), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            pass

    def children(self) -> list[int]:
        """Process ids, zombies included. Where the agent cannot be a subreaper, orphans are found by their environment."""
        if self.fd is not None and self.is_subreaper:
            return [int(pid) for pid in os.pread(self.fd, 1 << 16, 0).split()]
        return [pid for pid in list_pids() if self.attempt_of(pid) is not None or parent_of(pid) == os.getpid()]

    def attempt_of(self, pid: int) -> str | None:
        """The id of the attempt that a process was started for, by its environment; None where it is not of this run."""
        return self.read_variable(pid, b"MUSTER_ATTEMPT")

    def worker_of(self, pid: int) -> str | None:
        """The id of the warm worker that a process is, or was started by; None where it is none of this run."""
        return self.read_variable(pid, b"MUSTER_WORKER")

    def read_variable(self, pid: int, name: bytes) -> str | None:
        """A variable of a process of this run; None where it has none, or is none."""
        try:
            with open("/proc/{}/environ".format(pid), "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            return None
        if self.root_variable not in words:
            return None
        for word in words:
            if word.startswith(name + b"="):
                return word[len(name) + 1 :].decode("ascii", "replace")
        return None

    def identify(self, pid: int) -> list[Any]:
        """[boot id, pid, start time in clock ticks]: a pid alone may belong to another process later."""
        return [self.boot, pid, int(stat_fields(pid)[19])]

    def placeholder_identity(self) -> list[Any]:
        """The identity to record before a process starts: it has this boot id, and matches no process."""
        return [self.boot, 0, 0]

    def is_from_this_boot(self, identity: Any) -> bool:
        """Whether an identity was recorded since the last reboot. It comes from a file, so it may be anything."""
        return isinstance(identity, list) and identity[:1] == [self.boot]

    def kill_attempts(self, ids: Collection[str], leaders: Iterable[Any]) -> None:
        """Sends SIGKILL to the processes of these attempts, found by their environment or by their session, and to all warm workers, and
        waits at most DEATH_SECONDS until they are gone. `leaders`: recorded identities of session leaders; an agent before this one may have
        started them."""
        sessions = {leader[1] for leader in leaders if self.is_alive(leader)}
        deadline = now() + DEATH_SECONDS
        while now() < deadline:
            alive = [pid for pid in list_pids() if self.is_left(pid, ids) or session_of(pid) in sessions]
            if not alive:
                return
            for pid in alive:
                kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def is_left(self, pid: int, ids: Collection[str]) -> bool:
        return self.worker_of(pid) is not None or self.attempt_of(pid) in ids

    def is_alive(self, identity: Any) -> bool:
        try:
            return identity is not None and self.identify(identity[1]) == identity
        except OSError:
            return False


def become_subreaper() -> bool:
    """Makes orphaned descendants children of this process (prctl PR_SET_CHILD_SUBREAPER). False where that is not possible."""
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    except (ImportError, OSError, AttributeError):
        return False


def list_pids() -> list[int]:
    """All processes but this one."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def stat_fields(pid: int | str) -> list[bytes]:
    """Fields of /proc/PID/stat from the third on: state, parent, ... OSError where there is no such process."""
    fd = os.open("/proc/{}/stat".format(pid), os.O_RDONLY | os.O_CLOEXEC)  # a file object would cost twice as much
    try:
        return os.read(fd, 4096).rpartition(b")")[2].split()
    finally:
        os.close(fd)


def parent_of(pid: int) -> int | None:
    try:
        return int(stat_fields(pid)[1])
    except OSError:
        return None


def session_of(pid: int) -> int | None:
    """The session of a process; None where it has ended, even if its parent has not reaped it yet."""
    try:
        fields = stat_fields(pid)
    except OSError:
        return None
    return None if fields[0] == b"Z" else int(fields[3])


def kill(pid: int | None, number: int, group: bool = False) -> bool:
    """Sends a signal to a process, or to its group. False where there is none any more."""
    assert pid is not None
    try:
        (os.killpg if group else os.kill)(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
