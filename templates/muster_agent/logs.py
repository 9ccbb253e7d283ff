"""stdout and stderr of attempts, in files of their own."""
import base64
import os

from .trouble import explain
from .wire import raw

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
TAIL = 2048  # bytes of stderr that are always told
PUNCH_HOLE = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE too
SOON, LATER = 0.1, 1.0  # seconds until they are looked at again


class Logs:
    """Opened before a program starts, kept below `settings.log` bytes while it runs, told and closed when it has ended."""

    def __init__(self, settings, link):
        self.settings, self.link = settings, link
        self.fallocate = find_fallocate()
        self.hollows = self.fallocate is not None

    def watch(self, attempts):
        """Caps them, and answers in how many seconds that is due again: soon where one has only begun, or prints much."""
        pause = LATER
        for attempt in attempts:
            before, dropped = attempt.printed, sum(attempt.cut.values())
            self.thin(attempt)
            attempt.printed = os.fstat(attempt.out).st_size + os.fstat(attempt.err).st_size
            grown = attempt.printed - (before or 0) + sum(attempt.cut.values()) - dropped
            if before is None or grown > self.settings.log // 16:
                pause = SOON
        return pause

    def thin(self, attempt):
        """Gives back the disk that the middle of long logs takes, while they are written. Where that cannot be had, they are cut."""
        if self.hollows:
            try:
                for fd in (attempt.out, attempt.err):
                    hollow(self.fallocate, fd, self.settings.log)
                return
            except OSError:
                self.hollows = False
        self.cap(attempt)

    def cap(self, attempt):
        """Cuts them. What a program prints in that very moment may be lost, so this is best done when it has ended."""
        try:
            attempt.cut["stdout"] += cap_log(attempt.out, self.settings.log)
            attempt.cut["stderr"] += cap_log(attempt.err, self.settings.log)
        except OSError as error:
            message = explain(error, "the logs of {} could not be capped".format(attempt.id))
            self.link.problem(message)

    def report(self, attempt, message):
        """Completes a `done` message; OSError where a log cannot be read."""
        for name, fd in (("stdout", attempt.out), ("stderr", attempt.err)):
            size = os.fstat(fd).st_size
            if size:
                message[name] = {"size": size}
                if attempt.cut[name]:
                    message[name]["cut"] = attempt.cut[name]
                if size <= self.settings.inline:
                    message[name]["data"] = base64.b64encode(os.pread(fd, size, 0)).decode()
                if fd == attempt.err:
                    message["tail"] = os.pread(fd, TAIL, max(0, size - TAIL)).decode("utf-8", "replace")


def open_logs(attempt):
    attempt.out = os.open(attempt.folder + "/out", FLAGS, 0o600)
    attempt.err = os.open(attempt.folder + "/err", FLAGS, 0o600)


def close_logs(attempt):
    for fd in (attempt.out, attempt.err):
        if fd is not None:
            os.close(fd)
    attempt.out = attempt.err = None


def find_fallocate():
    """The system's call, or None where Python has no way to it."""
    try:
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).fallocate64
        call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    except (ImportError, OSError, AttributeError):
        return None

    def fallocate(fd, mode, offset, length):
        if call(fd, mode, offset, length):
            raise OSError(ctypes.get_errno(), "fallocate")

    return fallocate


def parts_of(limit):
    """Bytes kept of the head and of the tail of a log."""
    tail = limit // 4
    return max(0, limit - tail - 100), tail


def hollow(fallocate, fd, limit):
    """Makes a hole of the middle of a log that takes more disk than `limit`; its head and its tail stay where they are."""
    state = os.fstat(fd)
    head, tail = parts_of(limit)
    if state.st_blocks * 512 > limit and state.st_size > limit:
        fallocate(fd, PUNCH_HOLE, head, state.st_size - tail - head)


def cap_log(fd, limit):
    """Keeps the head and the tail of a log that grew past `limit`, and says so in between. O_APPEND makes this safe.
    Answers how many bytes were dropped."""
    size = os.fstat(fd).st_size
    if size <= limit:
        return 0
    head, quarter = parts_of(limit)
    tail = os.pread(fd, quarter, size - quarter)
    os.ftruncate(fd, head)
    note = "\n[muster: this log grew past {} bytes; what stood here was dropped]\n".format(limit)
    os.write(fd, raw(note) + tail)
    return size - head - quarter
