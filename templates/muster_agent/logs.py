"""stdout and stderr of attempts, in files of their own."""
import base64
import os

from .trouble import explain
from .wire import raw

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
TAIL = 2048  # bytes of stderr that are always told
SOON, LATER = 0.1, 1.0  # seconds until they are looked at again


class Logs:
    """Opened before a program starts, kept below `settings.log` bytes while it runs, told and closed when it has ended."""

    def __init__(self, settings, link):
        self.settings, self.link = settings, link

    def watch(self, attempts):
        """Caps them, and answers in how many seconds that is due again: soon where one has only begun, or prints much."""
        pause = LATER
        for attempt in attempts:
            before, dropped = attempt.printed, sum(attempt.cut.values())
            self.cap(attempt)
            attempt.printed = os.fstat(attempt.out).st_size + os.fstat(attempt.err).st_size
            grown = attempt.printed - (before or 0) + sum(attempt.cut.values()) - dropped
            if before is None or grown > self.settings.log // 16:
                pause = SOON
        return pause

    def cap(self, attempt):
        try:
            attempt.cut["stdout"] += cap_log(attempt.out, self.settings.log)
            attempt.cut["stderr"] += cap_log(attempt.err, self.settings.log)
        except OSError as error:
            message = explain(error, "the logs of {} could not be capped".format(attempt.id))
            self.link.send({"ev": "problem", "message": message})

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


def cap_log(fd, limit):
    """Keeps the head and the tail of a log that grew past `limit`, and says so in between. O_APPEND makes this safe.
    Answers how many bytes were dropped."""
    size = os.fstat(fd).st_size
    if size <= limit:
        return 0
    quarter = limit // 4
    head = max(0, limit - quarter - 100)
    tail = os.pread(fd, quarter, size - quarter)
    tail += os.pread(fd, quarter, size)  # what came meanwhile: the last words may be in it
    os.ftruncate(fd, head)
    note = "\n[muster: this log grew past {} bytes; what stood here was dropped]\n".format(limit)
    os.write(fd, raw(note) + tail[-quarter:])
    return size - head - quarter
