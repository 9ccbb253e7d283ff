"""The end of the daemon: by order, by its lease, with its folder, or with the node."""
import os
import time
from time import monotonic as now

from .removal import remove_tree
from .rootwatch import REPLACED
from .trouble import explain
from .wire import prose

BYE_SECONDS = 5.0  # for a coordinator to read the last words


class Shutdown:
    """`done` when the loop must not go on. The folder is deleted only while its path leads to the folder of this agent."""

    def __init__(self, root, rootwatch, reaper, link):
        self.root, self.rootwatch, self.reaper, self.link = root, rootwatch, reaper, link
        self.done = False

    def by_order(self):
        left = [explain_undead(self.reaper.kill_everything()), self.delete_root()]
        left = "; ".join(reason for reason in left if reason)
        if left:
            self.link.problem(left)
            self.link.send({"ev": "bye", "left": prose(left)})
        else:
            self.link.send({"ev": "bye"})
        self.end()

    def by_lease(self):
        self.reaper.kill_everything()
        self.delete_root()
        self.done = True

    def by_lost_root(self):
        """The folder was deleted, moved or replaced, and the results in it with it."""
        message = "the run's folder {} is gone: {}. The agent ended; it killed what it ran, which runs again."
        undead = explain_undead(self.reaper.kill_everything())
        self.link.problem(message.format(self.root, self.rootwatch.lost))
        if undead:
            self.link.problem(undead)
        self.end()

    def by_signal(self, *_):
        """The node shuts down, most likely: leave nothing running, keep the results."""
        self.reaper.kill_everything()
        os._exit(0)

    def end(self):
        """Gives a coordinator time to read what was sent last."""
        deadline = now() + BYE_SECONDS
        while self.link.coordinator and now() < deadline:
            self.link.flush()
            if self.link.coordinator and not self.link.coordinator.unsent:
                self.link.detach()
            time.sleep(0.001)
        self.done = True

    def delete_root(self):
        """Deletes the run's folder, and the folders above it that muster made, when they are empty. The reason why something of
        it is still there, or None."""
        lost = self.rootwatch.check()
        if lost == REPLACED:
            return "the run's folder {} was not deleted: {}".format(self.root, lost)
        error = remove_tree(self.root)
        if error is not None:
            return explain(error, "the run's folder {} could not be removed from the node".format(self.root))
        parent = os.path.dirname(self.root)
        try:
            if os.path.basename(parent) == "runs":
                os.rmdir(parent)
                os.rmdir(os.path.dirname(parent))
        except OSError:
            pass
        return None


def explain_undead(pids):
    return "processes that do not die stay on the node: " + ", ".join(map(str, pids)) if pids else None
