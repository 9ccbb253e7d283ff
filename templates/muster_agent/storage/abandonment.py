"""How long run folders outlive their agents. A reboot ends an agent, and its lease with it, but deletes no folder."""
from __future__ import annotations

import fcntl
import json
import os
import time

from ..in_place.set_aside import restore_all
from ..workspace.tree_removal import remove_tree

FILE_NAME = "life"


class Abandonment:
    """The file `life` in a run's folder: the boot that its agent runs under, the agent's lease in seconds, and the name of the machine,
    because several machines may share the folder."""

    def __init__(self, root: str, boot: str):
        self.root, self.boot = root, boot
        self.written: float | None = None

    def write(self, lease_seconds: float) -> None:
        """Ignores OSErrors: the file matters only once everything else has failed."""
        if lease_seconds == self.written:
            return
        try:
            with open(os.path.join(self.root, FILE_NAME), "w") as file:
                json.dump({"boot": self.boot, "lease": lease_seconds, "machine": os.uname().nodename}, file)
            self.written = lease_seconds
        except OSError:
            pass

    def find_abandoned(self) -> list[str]:
        """The folders of other runs, beside this one, that no coordinator comes back to."""
        runs = os.path.dirname(self.root)
        names = os.listdir(runs) if os.path.basename(runs) == "runs" else []
        return [os.path.join(runs, name) for name in names if self.is_abandoned(os.path.join(runs, name))]

    def is_abandoned(self, folder: str) -> bool:
        """Whether its agent ran under an earlier boot, and the node has been up for longer than the lease since."""
        try:
            if os.lstat(folder).st_uid != os.geteuid():
                return False
            with open(os.path.join(folder, FILE_NAME)) as file:
                life = json.load(file)
            if life.get("machine", os.uname().nodename) != os.uname().nodename:
                return False
            return life["boot"] != self.boot and time.clock_gettime(time.CLOCK_BOOTTIME) > life["lease"]
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def remove(self, folder: str) -> None:
        """Deletes an abandoned folder, unless files of the user stay in it, under the lock that whoever starts an agent there takes first."""
        lock = os.open(os.path.join(folder, "agent.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.is_abandoned(folder) and not restore_all(folder):
                remove_tree(folder)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
