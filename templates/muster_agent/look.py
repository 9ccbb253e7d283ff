"""Questions to tools of the node that may hang: each in a process group of its own, killed when its time is up."""
import os
import signal
from time import monotonic as now

from .processes import kill
from .spawn import RESET_SIGNALS

CAP = 1 << 20  # bytes of an answer
GENTLE = 19  # niceness: chunks come first


class Look:
    """One at a time. `deadline`: when what is still under way is killed, or None."""

    def __init__(self, reaper, link):
        self.reaper, self.link = reaper, link
        self.deadline = None
        self.seconds = 0.0
        self.answers = []
        self.under_way = {}  # pid -> answer

    def begin(self, scripts, seconds):
        """Starts the scripts; when all have ended, their answers are sent."""
        if self.deadline is not None:
            return
        self.seconds, self.deadline = seconds, now() + seconds
        self.answers = [{"exit": None, "stdout": "", "stderr": ""} for _ in scripts]
        hung = bool(self.reaper.tools)
        for script, answer in zip(scripts, self.answers):
            try:
                if hung:
                    raise OSError("an earlier call still hangs, though it was killed")
                self.start(script, answer)
            except OSError as error:
                answer["error"] = str(error)
        self.tell_if_done()

    def start(self, script, answer):
        out, err = os.memfd_create("out"), os.memfd_create("err")
        try:
            pid = launch(script, out, err)
        except OSError:
            os.close(out)
            os.close(err)
            raise
        self.under_way[pid] = answer
        self.reaper.tools[pid] = lambda status: self.ended(pid, out, err, status)
        os.setpriority(os.PRIO_PROCESS, pid, GENTLE)

    def ended(self, pid, out, err, status):
        answer = self.under_way.pop(pid, None)
        if answer is not None:
            answer["exit"] = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
            answer["stdout"], answer["stderr"] = content(out), content(err)
        os.close(out)
        os.close(err)
        self.tell_if_done()

    def give_up(self):
        """Kills what has not ended, and waits for it no more."""
        for pid, answer in self.under_way.items():
            kill(pid, signal.SIGKILL, group=True)
            answer["error"] = "no answer within {:g} s; killed".format(self.seconds)
        self.under_way.clear()
        self.tell_if_done()

    def tell_if_done(self):
        if self.deadline is not None and not self.under_way:
            self.deadline = None
            self.link.send({"ev": "looked", "answers": self.answers})


def launch(script, out, err):
    """A shell that can fill no more than a few MiB of memory with what it prints."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, err, 2)]
    argv = [b"/bin/sh", b"-c", b"ulimit -f 4096; " + os.fsencode(script)]
    how = {"file_actions": actions, "setsigmask": [], "setsigdef": RESET_SIGNALS}
    try:
        return os.posix_spawn(argv[0], argv, os.environb, setsid=True, **how)
    except NotImplementedError:
        return os.posix_spawn(argv[0], argv, os.environb, setpgroup=0, **how)


def content(fd):
    return os.pread(fd, CAP, 0).decode("utf-8", "replace")
