"""A pseudo-terminal for programs that insist on one. What they print there goes to their log."""
from __future__ import annotations

import os
import selectors

from ..errors import describe_error

ROWS, COLUMNS = 24, 80
END_OF_FILE = b"\x04"  # what a user types to end the input
ENDS_OF_INPUT = 16  # how many reads of the terminal return the end of file; nothing is ever typed
READ_BYTES = 1 << 16
READS_PER_EVENT = 16  # a read returns at most 4 KiB, and other attempts must not wait
READS_AT_END = 256  # far more than the kernel buffers; a process that escaped may print forever


class Terminal:
    """`path`: of the side that the program opens. `error`: why its output could not be written to the log."""

    def __init__(self, selector: selectors.BaseSelector):
        self.selector = selector
        self.log: int | None = None
        self.error: str | None = None
        self.fd, self.program_fd = os.openpty()  # OSError where there is none left
        try:
            set_up(self.program_fd)
            self.path = os.ttyname(self.program_fd)
            os.set_blocking(self.fd, False)
            os.write(self.fd, END_OF_FILE * ENDS_OF_INPUT)
        except OSError:
            self.close()
            raise

    def start(self, log: int | None) -> None:
        """Copies what the program prints to `log` from now on. It has been started: the end comes when no process has the
        terminal open any more."""
        self.log = log
        os.close(self.program_fd)
        self.program_fd = -1
        self.selector.register(self.fd, selectors.EVENT_READ, lambda _: self.copy(READS_PER_EVENT))

    def finish(self) -> None:
        """Copies what is left in the terminal, and closes it."""
        self.copy(READS_AT_END)
        self.close()

    def copy(self, reads: int) -> None:
        """Copies what can be read now. Closes the terminal where the program's side is closed."""
        for _ in range(reads):
            if self.fd < 0:
                return
            try:
                data = os.read(self.fd, READ_BYTES)
            except BlockingIOError:
                return
            except OSError:  # EIO: no process has it open
                data = b""
            if data:
                self.write(data)
            else:
                self.close()

    def write(self, data: bytes) -> None:
        """Where the log cannot be written, the program continues, since it cannot see that, and its attempt fails."""
        assert self.log is not None
        try:
            while data:
                data = data[os.write(self.log, data) :]
        except OSError as error:
            self.error = self.error or describe_error(error, "what it printed could not be saved")

    def close(self) -> None:
        if self.fd >= 0 and self.log is not None:
            self.selector.unregister(self.fd)
        for fd in (self.fd, self.program_fd):
            if fd >= 0:
                os.close(fd)
        self.fd = self.program_fd = -1


def set_up(fd: int) -> None:
    """Sets the size, and that lines end as in a file. Echo is off, because nobody types there."""
    import fcntl
    import struct
    import termios

    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    attributes = termios.tcgetattr(fd)
    attributes[1] &= ~termios.ONLCR
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
