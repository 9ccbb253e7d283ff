"""stdout and stderr of attempts, in files of their own."""
from __future__ import annotations

import base64
import os
import stat

from ..errors import describe_error
from ..wire import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable

    from ..connection.server import Server
    from ..settings import Settings
    from ..wire import Message
    from .attempt import Attempt

OPEN_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
TAIL_BYTES = 2048  # of the log that `choose_tail` selects, always sent
PUNCH_HOLE = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
FIRST_CHECK_SECONDS, CHECK_SECONDS = 0.1, 1.0  # until logs are checked again: of a program that has just started, and later
PRINTED_TOO_MUCH = "it printed more than the {} bytes that the job allows for stdout (limits.output)"
NOTICE_BYTES = 100  # for the line that says that the middle was dropped
CUT_NOTICE_START = b"\n[muster: this log grew past "


class Logs:
    """Opened before a program starts, kept below `settings.max_log_bytes` while it runs, and reported and closed when it has
    ended."""

    def __init__(self, settings: Settings, server: Server):
        self.settings, self.server = settings, server
        self.hole_puncher = HolePuncher()

    def limit_all(self, attempts: Iterable[Attempt]) -> float:
        """Limits the logs of these attempts, and returns in how many seconds to do so again: soon where one has just started or
        prints a lot."""
        pause = CHECK_SECONDS
        for attempt in attempts:
            before, dropped = attempt.logged_bytes, sum(attempt.cut.values())
            self.limit(attempt)
            assert attempt.out is not None and attempt.err is not None
            attempt.logged_bytes = os.fstat(attempt.out).st_size + os.fstat(attempt.err).st_size
            grown = attempt.logged_bytes - (before or 0) + sum(attempt.cut.values()) - dropped
            if before is None or grown > self.settings.max_log_bytes // 16:
                pause = FIRST_CHECK_SECONDS
        return pause

    def limit(self, attempt: Attempt) -> None:
        """Frees the disk space of the middle of long logs while a program writes them; cuts them where the file system does not
        support that."""
        if not all(self.hole_puncher.punch(fd, self.settings.max_log_bytes) for fd in self.limited(attempt)):
            self.cut(attempt)

    def limited(self, attempt: Attempt) -> list[int | None]:
        """The logs whose middle may be dropped: not a stdout that is an output, until it has grown too large to be one."""
        return [attempt.err] if self.is_output(attempt) else [attempt.out, attempt.err]

    def is_output(self, attempt: Attempt) -> bool:
        """Whether stdout is an output that all bytes are needed of."""
        return attempt.program.stdout_limit is not None and not self.has_excess(attempt)

    def find_excess(self, attempts: Iterable[Attempt]) -> list[Attempt]:
        """Attempts that have printed more than the job allows, where stdout is an output."""
        return [attempt for attempt in attempts if self.has_excess(attempt)]

    def explain_excess(self, attempt: Attempt) -> str | None:
        """Why an attempt that printed more than the job allows has failed; None where it did not."""
        return PRINTED_TOO_MUCH.format(attempt.program.stdout_limit) if self.has_excess(attempt) else None

    def has_excess(self, attempt: Attempt) -> bool:
        limit = attempt.program.stdout_limit
        if limit is None or attempt.out is None:
            return False
        return os.fstat(attempt.out).st_size + attempt.cut["stdout"] > limit

    def cut(self, attempt: Attempt) -> None:
        """Cuts long logs. What a program prints at that very moment may be lost, so this is best done once it has ended."""
        try:
            is_needed = attempt.stdout_sha256 is not None or (attempt.phase == "running" and self.is_output(attempt))
            if not is_needed:
                attempt.cut["stdout"] += cut_log(attempt.out, self.settings.max_log_bytes)
            attempt.cut["stderr"] += cut_log(attempt.err, self.settings.max_log_bytes)
        except OSError as error:
            message = describe_error(error, "the logs of {} could not be cut".format(attempt.id))
            self.server.report_problem(message)

    def add_to(self, message: Message, attempt: Attempt) -> None:
        """Adds the logs to a message `done`. OSError where one cannot be read."""
        assert attempt.out is not None and attempt.err is not None
        tail = choose_tail(attempt)
        for name, fd in (("stdout", attempt.out), ("stderr", attempt.err)):
            size = os.fstat(fd).st_size
            if size:
                message[name] = {"size": size}
                if name == "stdout" and attempt.stdout_sha256 is not None:
                    message[name]["sha256"] = attempt.stdout_sha256
                if attempt.cut[name]:
                    message[name]["cut"] = attempt.cut[name]
                if size <= self.settings.max_data_bytes:
                    message[name]["data"] = base64.b64encode(os.pread(fd, size, 0)).decode()
                if fd == tail:
                    message["tail"] = os.pread(fd, TAIL_BYTES, max(0, size - TAIL_BYTES)).decode("utf-8", "replace")


def open_logs(attempt: Attempt) -> None:
    attempt.out = os.open(attempt.folder + "/out", OPEN_FLAGS, 0o600)
    attempt.err = os.open(attempt.folder + "/err", OPEN_FLAGS, 0o600)


def choose_tail(attempt: Attempt) -> int:
    """The log whose end says how the attempt went: stderr, or stdout where that is a terminal, or where an attempt has failed and
    printed nothing else."""
    assert attempt.out is not None and attempt.err is not None
    has_failed = bool(attempt.missing) or not attempt.has_succeeded()
    is_silent = os.fstat(attempt.err).st_size == 0
    return attempt.out if attempt.terminal or (has_failed and is_silent) else attempt.err


def logged_bytes(pid: int) -> int:
    """The size of the larger file that is a process's stdout or stderr; 0 where neither is a file. It may have been deleted."""
    sizes = [0]
    for fd in (1, 2):
        try:
            status = os.stat("/proc/{}/fd/{}".format(pid, fd))
        except OSError:
            continue  # the process has ended
        if stat.S_ISREG(status.st_mode):
            sizes.append(status.st_size)
    return max(sizes)


def close_logs(attempt: Attempt) -> None:
    if attempt.terminal:
        attempt.terminal.close()
    for fd in (attempt.out, attempt.err):
        if fd is not None:
            os.close(fd)
    attempt.out = attempt.err = None


def find_fallocate() -> Callable[[int, int, int, int], None] | None:
    """The system call, or None where Python cannot make it."""
    try:
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).fallocate64
        call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    except (ImportError, OSError, AttributeError):
        return None

    def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
        if call(fd, mode, offset, length):
            raise OSError(ctypes.get_errno(), "fallocate")

    return fallocate


def kept_bytes(limit: int) -> tuple[int, int]:
    """How many bytes are kept of the head and of the tail of a log."""
    tail = limit // 4
    return max(0, limit - tail - NOTICE_BYTES), tail


class HolePuncher:
    """Frees disk space of logs while programs write them, where the file system supports that. Nothing that is printed meanwhile is
    lost, other than by `cut_log`."""

    def __init__(self) -> None:
        self.fallocate = find_fallocate()

    def punch(self, fd: int | None, limit: int) -> bool:
        """Makes a hole of the middle of a log that uses more disk space than `limit`; its head and tail stay at their offsets. False:
        that is not supported."""
        assert fd is not None
        state = os.fstat(fd)
        if state.st_blocks * 512 <= limit or state.st_size <= limit:
            return True
        if self.fallocate is None:
            return False
        head, tail = kept_bytes(limit)
        try:
            self.fallocate(fd, PUNCH_HOLE, head, state.st_size - tail - head)
        except OSError:
            self.fallocate = None
        return self.fallocate is not None


def cut_log(fd: int | None, limit: int) -> int:
    """Keeps the head and the tail of a log that grew past `limit`, with a notice in between; returns how many bytes were dropped.
    The program may continue to write, since it appends (O_APPEND), but what it writes during the cut is lost."""
    assert fd is not None
    size = os.fstat(fd).st_size
    if size <= limit:
        return 0
    head, quarter = kept_bytes(limit)
    tail = os.pread(fd, quarter, size - quarter)
    os.ftruncate(fd, head)
    notice = CUT_NOTICE_START + to_bytes("{} bytes; its middle was dropped]\n".format(limit))
    os.write(fd, notice + tail)
    return size - head - quarter
