"""Whether the kernel killed a program because memory ran out: seen in the kernel log, or counted by the agent's cgroup."""
from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..attempts.attempt import Attempt

MAX_RECORDS = 5000  # of the kernel log that are read at a time, so that the loop is not held up
MAX_RECORD_BYTES = 8192  # of one: a shorter buffer is an error
# "Out of memory: Killed process 123 (python3) total-vm:..." and "Memory cgroup out of memory: Killed process 123 (python3) ...";
# older kernels write "Kill process".
KILLED = re.compile(rb"[Oo]ut of memory: Kill(?:ed)? process (\d+) \(")
CLOCK_SECONDS = 1.0  # by which the clock of the kernel log may differ
FIRST_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO: the pids of the kernel log are of this one
KILLED_IN_SHELL = 128 + 9  # the exit code of a shell whose program got SIGKILL
COUNTERS = (
    # Where the kernel counts processes of a cgroup that any OOM killer killed: version 2, then version 1.
    ("/sys/fs/cgroup{}/memory.events", re.compile(r"^0::(/.*)$", re.MULTILINE)),
    ("/sys/fs/cgroup/unified{}/memory.events", re.compile(r"^0::(/.*)$", re.MULTILINE)),
    ("/sys/fs/cgroup/memory{}/memory.oom_control", re.compile(r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(/.*)$", re.MULTILINE)),
)


class OomKills:
    """Attempts share the agent's cgroup, so its counter only says that something was killed. `attributed`: kills that an attempt
    accounts for; `killed`: when processes were killed, by pid, as the kernel log says (time.monotonic)."""

    def __init__(self) -> None:
        self.log_fd = open_kernel_log()
        self.counter_fd = open_counter(read_text("/proc/self/cgroup"))
        self.attributed = 0
        self.killed: dict[int, float] = {}

    def attempt_started(self, attempt: Attempt) -> None:
        attempt.oom_kills = self.count_unattributed()

    def attempt_ended(self, attempt: Attempt) -> None:
        """Notes where an OOM kill of the attempt was seen, unless the agent has ended it."""
        status = attempt.status
        if status is None or not attempt.was_running or attempt.has_succeeded():
            return
        is_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9
        if not is_killed and not (os.WIFEXITED(status) and os.WEXITSTATUS(status) == KILLED_IN_SHELL):
            return
        count = self.count_unattributed()
        is_counted = count is not None and attempt.oom_kills is not None and count > attempt.oom_kills
        self.read_log()
        if is_killed and self.log_fd is not None:
            is_logged = self.killed.pop(attempt.pid or 0, 0.0) >= attempt.began - CLOCK_SECONDS
            attempt.out_of_memory = "kernel log" if is_logged else None
        elif is_counted:
            attempt.out_of_memory = "cgroup"
        if is_counted and attempt.out_of_memory:
            self.attributed += 1

    def count_unattributed(self) -> int | None:
        """How many processes of the cgroup were killed that no attempt accounts for; None where the kernel does not say."""
        if self.counter_fd is None:
            return None
        try:
            count = parse_counter(os.pread(self.counter_fd, 4096, 0))
        except OSError:
            return None
        return None if count is None else count - self.attributed

    def read_log(self) -> None:
        """Reads what the kernel has logged since the last time."""
        for _ in range(MAX_RECORDS):
            if self.log_fd is None:
                return
            try:
                record = os.read(self.log_fd, MAX_RECORD_BYTES)
            except BlockingIOError:
                return
            except BrokenPipeError:
                continue  # older records were overwritten
            except OSError:
                os.close(self.log_fd)
                self.log_fd = None
                return
            killed = parse_record(record)
            if killed is not None:
                self.killed[killed[0]] = killed[1]


def open_kernel_log() -> int | None:
    """The end of the kernel log; None where it may not be read (kernel.dmesg_restrict), or has other pids (a container)."""
    try:
        if os.readlink("/proc/self/ns/pid") != FIRST_PID_NAMESPACE:
            return None
        fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        os.lseek(fd, 0, os.SEEK_END)
        os.read(fd, MAX_RECORD_BYTES)
    except BlockingIOError:
        return fd
    except OSError:
        os.close(fd)
        return None
    return fd


def open_counter(cgroups: str) -> int | None:
    """The counter of the cgroup of this process. `cgroups`: the text of /proc/self/cgroup."""
    for template, pattern in COUNTERS:
        found = pattern.search(cgroups)
        if found is None:
            continue
        try:
            return os.open(template.format(found.group(1).rstrip("/")), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
    return None


def parse_counter(text: bytes) -> int | None:
    """The number after `oom_kill`; None where there is no such line."""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == b"oom_kill" and words[1].isdigit():
            return int(words[1])
    return None


def parse_record(record: bytes) -> tuple[int, float] | None:
    """The pid of the process that was killed, and when (in seconds since boot), of a record of /dev/kmsg ("priority,number,
    microseconds,flags;text"); None where it is about something else."""
    header, _, text = record.partition(b";")
    fields = [int_of(field) for field in header.split(b",")[:3]]
    if len(fields) < 3 or fields[0] >> 3 != 0:
        return None  # not the kernel's: who may write to /dev/kmsg can log such a line, too
    found = KILLED.search(text.split(b"\n")[0])
    return (int(found.group(1)), fields[2] / 1e6) if found else None


def int_of(digits: bytes) -> int:
    return int(digits) if digits.isdigit() else -1


def read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
