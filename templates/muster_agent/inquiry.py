"""The question who holds a GPU, from a run that waits for it."""
import os
import socket
from time import monotonic as now

from .guard import peer_of

LEAST = -(1 << 31)  # below every priority
CAP = 4096  # bytes of answers
PATIENCE = 3.0  # seconds that a holder has to say who it is
SILENT = "a program that does not answer"


class Inquiry:
    """A connection to the holder. `name`: whose it is, None while it has not said. `owner`: its uid and pid, from the kernel, None
    where it has not accepted the connection. `highest`: the highest priority that waits. `name` and `highest` are not to be
    trusted where the owner is another user."""

    def __init__(self, address, private_path):
        """Runs of the same user listen at both, others' at the abstract address alone."""
        self.address, self.private_path = address, private_path
        self.line, self.name, self.owner, self.highest = None, None, None, LEAST
        self.asked = 0.0

    def ask(self, priority):
        """False when nobody listens. The priority is in our name, so that the holder knows it at once."""
        if self.connect(self.private_path, priority):
            if self.owner is None or self.owner[0] == os.geteuid():
                return True
            self.close()
        return self.connect(self.address, priority)

    def connect(self, address, priority):
        self.name, self.owner, self.asked = None, None, now()
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.line.setblocking(False)
        try:
            self.line.bind(self.address + "/{}/{}".format(priority, os.urandom(8).hex()).encode())
            self.line.connect(address)
            self.owner = peer_of(self.line)
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
        self.line = self.name = self.owner = None


def priority_of(address):
    """The priority in the name of who asks."""
    try:
        return int(address.rsplit(b"/", 2)[1])
    except (ValueError, IndexError, AttributeError, TypeError):
        return 0
