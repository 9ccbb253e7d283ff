"""The question who holds a GPU, from a run that waits for it."""
import os
import socket
from time import monotonic as now

LEAST = -(1 << 31)  # below every priority
CAP = 4096  # bytes of answers
PATIENCE = 3.0  # seconds that a holder has to say who it is
SILENT = "a program that does not answer"


class Inquiry:
    """A connection to the holder. `name`: whose it is, None while it has not said. `highest`: the highest priority that waits."""

    def __init__(self, address):
        self.address = address
        self.line, self.name, self.highest = None, None, LEAST
        self.asked = 0.0

    def ask(self, priority):
        """False when nobody holds the GPU. The priority is in our name, so that the holder knows it at once."""
        self.name, self.asked = None, now()
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.line.setblocking(False)
        try:
            self.line.bind(self.address + "/{}/{}".format(priority, os.urandom(8).hex()).encode())
            self.line.connect(self.address)
        except BlockingIOError:
            self.name = SILENT
        except OSError:
            self.close()
            return False
        return True

    def is_open(self):
        """Whether the GPU is still held; takes in what the holder has said. A new answer stands for all before it."""
        while self.line:
            try:
                said = self.line.recv(CAP)
            except BlockingIOError:
                if self.name is None and now() >= self.asked + PATIENCE:
                    self.name = SILENT
                return True
            except OSError:
                said = b""
            if not said:
                self.close()
            for line in said.decode("utf-8", "replace").split("\n")[:-1]:
                highest, _, self.name = line.partition(" ")
                self.highest = int(highest) if highest.lstrip("-").isdigit() else LEAST
        return False

    def close(self):
        if self.line:
            self.line.close()
        self.line = self.name = None


def priority_of(address):
    """The priority in the name of who asks."""
    try:
        return int(address.rsplit(b"/", 2)[1])
    except (ValueError, IndexError, AttributeError, TypeError):
        return 0
