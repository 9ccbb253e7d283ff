"""Questions to tools of the node that may hang: each in a process group of its own, killed when its time is up."""
import os
import signal
from math import inf
from time import monotonic as now

from .processes import kill
from .spawn import RESET_SIGNALS
from .wire import prose

CAP = 256 << 10  # bytes of each stream of an answer
GENTLE = 19  # niceness of what nobody waits for: chunks come first
DEATH = 1.0  # seconds that what was killed is waited for: mostly it takes a moment, and then it is in nobody's way


class Calls:
    """All that is under way. `nothing`: what they read."""

    def __init__(self, reaper):
        self.reaper = reaper
        self.nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self.under_way = set()

    def due(self):
        """When `watch` should be called."""
        return min((scripts.deadline for scripts in self.under_way), default=inf)

    def watch(self, time_now):
        for scripts in [one for one in self.under_way if one.deadline <= time_now]:
            scripts.give_up()


class Scripts:
    """One set at a time, side by side; then(answers) when all have ended. `deadline`: when what has not is killed, or, after that,
    waited for no more; None while there is none."""

    def __init__(self, calls, niceness, then):
        self.calls, self.niceness, self.then = calls, niceness, then
        self.deadline = None
        self.seconds = 0.0
        self.answers = []
        self.open = {}  # pid -> answer, and what is printed
        self.alive = set()  # with those that were killed and do not die

    def begin(self, scripts, seconds):
        """Starts them, unless others of this set are under way."""
        if self.deadline is not None:
            return
        self.seconds, self.deadline = seconds, now() + seconds
        self.calls.under_way.add(self)
        self.answers = [{"exit": None, "stdout": "", "stderr": ""} for _ in scripts]
        hung = bool(self.alive)
        for script, answer in zip(scripts, self.answers):
            try:
                if hung:
                    raise OSError("an earlier call still hangs, though it was killed")
                self.start(script, answer)
            except OSError as error:
                answer["error"] = prose(str(error))
        self.tell_if_done()

    def start(self, script, answer):
        out, err = os.memfd_create("out"), os.memfd_create("err")
        try:
            pid = launch(script, self.calls.nothing, out, err)
        except OSError:
            os.close(out)
            os.close(err)
            raise
        self.open[pid] = answer, out, err
        self.alive.add(pid)
        self.calls.reaper.tools[pid] = lambda status: self.ended(pid, out, err, status)
        if self.niceness:
            os.setpriority(os.PRIO_PROCESS, pid, self.niceness)

    def ended(self, pid, out, err, status):
        self.alive.discard(pid)
        answer = self.open.pop(pid, (None,))[0]
        if answer is not None:
            answer["exit"] = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
            answer["stdout"], answer["stderr"] = content(out), content(err)
        os.close(out)
        os.close(err)
        self.tell_if_done()

    def give_up(self):
        """Kills what has not ended; what it printed by then is its answer. What does not die is left alone."""
        doomed = [answer for answer, _, _ in self.open.values() if "error" not in answer]
        for answer in doomed:
            answer["error"] = "no answer within {:g} s; killed".format(self.seconds)
        for pid, (answer, out, err) in self.open.items():
            kill(pid, signal.SIGKILL, group=True)
            answer["stdout"], answer["stderr"] = content(out), content(err)
        self.deadline = now() + DEATH
        if not doomed:
            self.open.clear()
            self.tell_if_done()

    def tell_if_done(self):
        if self.deadline is not None and not self.open:
            self.deadline = None
            self.calls.under_way.discard(self)
            self.then(self.answers)


def launch(script, source, out, err):
    """A shell that can fill no more than a few MiB of memory with what it prints; the descriptors are its standard ones."""
    actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((source, out, err))]
    argv = [b"/bin/sh", b"-c", b"ulimit -f 4096; " + os.fsencode(script)]
    how = {"file_actions": actions, "setsigmask": [], "setsigdef": RESET_SIGNALS}
    try:
        return os.posix_spawn(argv[0], argv, os.environb, setsid=True, **how)
    except NotImplementedError:
        return os.posix_spawn(argv[0], argv, os.environb, setpgroup=0, **how)


def content(fd):
    return os.pread(fd, CAP, 0).decode("utf-8", "replace")
