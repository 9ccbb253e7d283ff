"""A GPU of the node, held for one run at a time."""
import selectors
import socket
from time import monotonic as now

from .wire import raw

RETRY = 0.5  # seconds between tries
TURN = 5.0  # how long a GPU is kept at least while another run waits for it
PAUSE = 1.0  # how long it is then left alone, so that the other run's retry finds it free


class GpuLock:
    """A kernel object that goes with its process: an abstract socket's name."""

    def __init__(self, selector, settings, boot, name):
        self.selector, self.settings = selector, settings
        self.address = "\0muster/{}/gpu/{}".format(boot, name).encode()
        self.held = None
        self.since = self.retry = 0.0
        self.away = 0.0  # when another run may have had it last
        self.wanted = False
        self.question = None
        self.blocked = False

    def acquire(self):
        """True when it is ours now. Otherwise `retry` says when to try again."""
        if self.held:
            return True
        if now() < self.retry:
            return False
        held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            held.bind(self.address)
        except OSError:
            held.close()
            self.away = now()
            self.retry = self.away + RETRY
            return False
        held.listen(16)
        held.setblocking(False)
        self.held, self.since, self.wanted = held, now(), False
        self.forget_question()
        self.selector.register(held, selectors.EVENT_READ, self.answer)
        return True

    def answer(self, _):
        """Tells another run who holds the GPU, and remembers that it waits."""
        try:
            asker, _address = self.held.accept()
        except OSError:
            return
        self.wanted = True
        with asker:
            asker.setblocking(False)
            try:
                asker.send(raw(self.settings.run)[:200])
            except OSError:
                pass

    def holder(self):
        """Who holds it, as far as the answer to the question of the last try tells; None at the first try."""
        name = None
        if self.question:
            try:
                name = self.question.recv(200).decode("utf-8", "replace")
            except OSError:
                name = ""
        self.forget_question()
        self.question = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.question.setblocking(False)
        try:
            self.question.connect(self.address)
        except OSError:
            self.forget_question()
        return name

    def forget_question(self):
        if self.question:
            self.question.close()
            self.question = None

    def turn_over(self):
        return self.wanted and now() - self.since >= TURN

    def release(self, pause=0.0):
        self.forget_question()
        if self.held:
            self.selector.unregister(self.held)
            self.held.close()
            self.held = None
            self.away = now()
            self.retry = self.away + pause
