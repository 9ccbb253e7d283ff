"""The end of the daemon: by order, by its lease, or with the node."""
import os
import time
from time import monotonic as now

from .removal import remove_tree
from .trouble import explain

BYE_SECONDS = 5.0  # for a coordinator to read the last words


class Shutdown:
    """`done` when the loop must not go on."""

    def __init__(self, root, reaper, link):
        self.root, self.reaper, self.link = root, reaper, link
        self.done = False

    def by_order(self):
        undead = self.reaper.kill_everything()
        if undead:
            message = "processes that do not die stay on the node: " + ", ".join(map(str, undead))
            self.link.problem(message)
        trouble = delete_root(self.root)
        if trouble is not None:
            message = explain(trouble, "the run's folder {} could not be removed from the node".format(self.root))
            self.link.problem(message)
        self.link.send({"ev": "bye"})
        deadline = now() + BYE_SECONDS
        while self.link.coordinator and now() < deadline:
            self.link.flush()
            if self.link.coordinator and not self.link.coordinator.unsent:
                self.link.detach()
            time.sleep(0.001)
        self.done = True

    def by_lease(self):
        self.reaper.kill_everything()
        delete_root(self.root)
        self.done = True

    def by_signal(self, *_):
        """The node shuts down, most likely: leave nothing running, keep the results."""
        self.reaper.kill_everything()
        os._exit(0)


def delete_root(root):
    """Deletes the run's folder, and the folders above it that muster made, when they are empty. Answers as remove_tree does."""
    trouble = remove_tree(root)
    parent = os.path.dirname(root)
    try:
        if os.path.basename(parent) == "runs":
            os.rmdir(parent)
            os.rmdir(os.path.dirname(parent))
    except OSError:
        pass
    return trouble
