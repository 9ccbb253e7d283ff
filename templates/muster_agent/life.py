"""How long run folders outlive their agents: a reboot ends an agent and its lease with it, but no folder."""
import fcntl
import json
import os
import time

from .removal import remove_tree


class Life:
    """The file `life` of a run's folder: under which boot its agent works, and for how long it waits for a coordinator."""

    def __init__(self, root, boot):
        self.root, self.boot = root, boot
        self.written = None

    def write(self, lease):
        """OSErrors do not matter: what it says is of use only when all else has gone wrong."""
        if lease == self.written:
            return
        try:
            with open(os.path.join(self.root, "life"), "w") as file:
                json.dump({"boot": self.boot, "lease": lease}, file)
            self.written = lease
        except OSError:
            pass

    def abandoned(self):
        """The folders of runs beside this one to which nobody comes back."""
        runs = os.path.dirname(self.root)
        names = os.listdir(runs) if os.path.basename(runs) == "runs" else []
        return [os.path.join(runs, name) for name in names if self.is_over(os.path.join(runs, name))]

    def is_over(self, folder):
        """Whether its agent went with an earlier boot, and the node is up for longer than the lease since: that clock is right."""
        try:
            if os.lstat(folder).st_uid != os.geteuid():
                return False
            with open(os.path.join(folder, "life")) as file:
                life = json.load(file)
            return life["boot"] != self.boot and time.clock_gettime(time.CLOCK_BOOTTIME) > life["lease"]
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def remove(self, folder):
        """Under the lock that whoever starts an agent there takes first."""
        lock = os.open(os.path.join(folder, "agent.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.is_over(folder):
                remove_tree(folder)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
