"""Processes of this node, as far as they are this agent's."""
import os
import signal
import time
from time import monotonic as now

DEATH_SECONDS = 10.0  # after KILL; what lives longer breaks the slot


class Processes:
    """The agent's children, and children's children that lost their parents."""

    def __init__(self, root, boot):
        self.boot = boot
        self.mark = b"MUSTER_ROOT=" + os.fsencode(root)
        self.adopts = become_subreaper()
        self.fd = None
        try:
            self.fd = os.open("/proc/self/task/{0}/children".format(os.getpid()), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            pass

    def children(self):
        """Process ids, zombies included."""
        if self.fd is not None and self.adopts:
            return [int(pid) for pid in os.pread(self.fd, 1 << 16, 0).split()]
        return [pid for pid in every_pid() if self.attempt_of(pid) is not None or parent_of(pid) == os.getpid()]

    def attempt_of(self, pid):
        """The attempt in whose environment a process of this run was started, or None."""
        try:
            with open("/proc/{}/environ".format(pid), "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            return None
        if self.mark not in words:
            return None
        for word in words:
            if word.startswith(b"MUSTER_ATTEMPT="):
                return word[15:].decode("ascii", "replace")
        return None

    def identify(self, pid):
        """What a process is known by: a number alone may be somebody else's by the time that it is looked at."""
        return [self.boot, pid, int(stat_fields(pid)[19])]

    def not_started(self):
        """Stands for a process that is about to be started: it says under which boot, and never lives."""
        return [self.boot, 0, 0]

    def is_of_this_boot(self, process):
        """Whether a record of `identify` was made since the node's last reboot; a journal may hold anything."""
        return isinstance(process, list) and process[:1] == [self.boot]

    def kill_attempts(self, ids, leaders):
        """KILLs what runs for these attempts, by its environment or by its session's leader (as `identify` had it), whoever
        started it, and waits (at most DEATH_SECONDS) until it is gone."""
        sessions = {leader[1] for leader in leaders if self.lives(leader)}
        deadline = now() + DEATH_SECONDS
        while now() < deadline:
            alive = [pid for pid in every_pid() if self.attempt_of(pid) in ids or session_of(pid) in sessions]
            if not alive:
                return
            for pid in alive:
                kill(pid, signal.SIGKILL)
            time.sleep(0.01)


    def lives(self, process):
        try:
            return process is not None and self.identify(process[1]) == process
        except OSError:
            return False


def become_subreaper():
    """Makes orphaned descendants our children (prctl PR_SET_CHILD_SUBREAPER); False where that cannot be had."""
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0) == 0
    except (ImportError, OSError, AttributeError):
        return False


def every_pid():
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def stat_fields(pid):
    """Fields of /proc/PID/stat from the third on (state, ppid, ...)."""
    fd = os.open("/proc/{}/stat".format(pid), os.O_RDONLY | os.O_CLOEXEC)  # by descriptor: a file object costs twice as much
    try:
        return os.read(fd, 4096).rpartition(b")")[2].split()
    finally:
        os.close(fd)


def parent_of(pid):
    try:
        return int(stat_fields(pid)[1])
    except OSError:
        return None


def session_of(pid):
    """None for what has ended, though its parent may not have noticed."""
    try:
        fields = stat_fields(pid)
    except OSError:
        return None
    return None if fields[0] == b"Z" else int(fields[3])


def kill(pid, number, group=False):
    """False when there is nothing to signal any more."""
    try:
        (os.killpg if group else os.kill)(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
