"""How an attempt is made to end: TERM, then KILL; then its slot is given up."""
import signal
from time import monotonic as now

from .logs import close_logs
from .processes import DEATH_SECONDS, kill

TERM_SECONDS = 5.0  # between TERM and KILL


class Ending:
    """By a cancel, or by an alarm: its time is up, or it did not heed a signal."""

    def __init__(self, slots, reaper, ledger):
        self.slots, self.reaper, self.ledger = slots, reaper, ledger

    def cancel(self, attempt):
        """One that has ended by itself stays as it ended."""
        if attempt.phase == "queued":
            attempt.canceled = True
            self.slots.withdraw(attempt)
            self.ledger.fail(attempt, None)
        elif attempt.phase == "running":
            attempt.canceled = True
            self.terminate(attempt)
        elif attempt.timeout and attempt.phase != "done":
            attempt.canceled = True

    def evict(self, attempt):
        """At once: it is to be run again, for no fault of its own."""
        attempt.canceled, attempt.phase, attempt.alarm = True, "killed", now() + DEATH_SECONDS
        kill(attempt.pid, signal.SIGKILL, group=True)

    def sound_alarms(self, time_now):
        for attempt in list(self.slots.active.values()):
            if attempt.alarm is not None and attempt.alarm <= time_now:
                self.alarm(attempt)

    def alarm(self, attempt):
        """Its time is up, once more."""
        if attempt.phase == "running":
            attempt.timeout = True
            self.terminate(attempt)
        elif attempt.phase == "terminating":
            attempt.phase, attempt.alarm = "killed", now() + DEATH_SECONDS
            kill(attempt.pid, signal.SIGKILL, group=True)
        else:
            self.give_up(attempt)

    def terminate(self, attempt):
        attempt.phase, attempt.alarm = "terminating", now() + TERM_SECONDS
        kill(attempt.pid, signal.SIGTERM, group=True)

    def give_up(self, attempt):
        """Something does not die even from KILL (a hung driver, most likely): nothing may run on this slot any more."""
        reason = "processes of attempt {} do not die {:.0f} s after KILL".format(attempt.id, DEATH_SECONDS)
        self.reaper.give_up(attempt)
        stranded = self.slots.retire(attempt, reason)
        close_logs(attempt)
        self.ledger.fail(attempt, reason)
        for queued in stranded:
            queued.canceled = True  # no fault of theirs
            self.ledger.fail(queued, self.slots.refusal(queued.slot))
