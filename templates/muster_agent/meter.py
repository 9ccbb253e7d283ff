"""How much of the memory of cards is taken, asked aside: a card that is sick may not answer."""
from time import monotonic as now

from .scripts import Scripts

SECONDS = 5.0  # for an answer
PAUSE = 1.0  # seconds for which an answer holds at least,
SHARE = 20  # and as many times as long as it took: looks take a twentieth of the time at most


class Meter:
    """Tells (meter, when it was asked, answer). `pause`: seconds for which that holds."""

    def __init__(self, calls, script, tell):
        self.scripts, self.script, self.tell = Scripts(calls, 0, self.heard), script, tell
        self.asked = 0.0
        self.pause = PAUSE

    def ask(self):
        """Once at a time: whoever asks meanwhile hears what comes, and asks again."""
        if self.scripts.deadline is None:
            self.asked = now()
            self.scripts.begin([self.script], SECONDS)

    def heard(self, answers):
        self.pause = max(PAUSE, SHARE * (now() - self.asked))
        self.tell(self, self.asked, answers[0])
