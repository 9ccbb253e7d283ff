"""The far side of an attachment."""
import errno
import os

MAX_LINE = 64 << 20
MAX_UNSENT = 64 << 20
PIPE = 1 << 16  # bytes that a pipe holds


class Coordinator:
    """The two descriptors that `attach` passed, and its socket, which ends it when closed."""

    def __init__(self, knocker, reader, writer):
        self.knocker, self.reader, self.writer = knocker, reader, writer
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        self.partial = b""
        self.unsent = b""
        self.fresh = []

    def receive(self):
        """Whole lines that have come, or None at the end."""
        try:
            data = os.read(self.reader, PIPE)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        lines = (self.partial + data).split(b"\n")
        self.partial = lines.pop()
        if len(self.partial) > MAX_LINE:
            return None
        return lines

    def flush(self):
        """Writes what fits. True while some is left; OSError when nobody reads any more."""
        if self.fresh:
            self.unsent += b"".join(self.fresh)
            self.fresh = []
        while self.unsent:
            try:
                self.unsent = self.unsent[os.write(self.writer, self.unsent[: 1 << 18]) :]  # fmt: skip
            except BlockingIOError:
                if len(self.unsent) > MAX_UNSENT:
                    raise OSError(errno.ENOBUFS, "the coordinator does not read")
                return True
        return False

    def close(self):
        os.close(self.reader)
        os.close(self.writer)
        self.knocker.close()
