"""How the daemon ends: by the coordinator's order, by its lease, with its folder, or with the node."""
from __future__ import annotations

import errno
import os
import sys
import time
from time import monotonic as now

from .errors import describe_error
from .storage.root_watch import REPLACED
from .workspace.tree_removal import remove_tree
from .wire import clip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .allocation import Allocation
    from .cache.content_cache import ContentCache
    from .connection.server import Server
    from .in_place.in_place import InPlace
    from .processes.reap import Reaper
    from .storage.root_watch import RootWatch

MAX_RETRIES = 10  # to delete a tree that still grows
FLUSH_SECONDS = 5.0  # for a coordinator to read the last messages


class Shutdown:
    """`is_done`: whether the event loop must end. The folder is deleted only while its path leads to the folder of this agent."""

    def __init__(
        self, root: str, root_watch: RootWatch, reaper: Reaper, server: Server, in_place: InPlace, cache: ContentCache, allocation: Allocation | None
    ):
        self.root, self.root_watch, self.reaper, self.server, self.in_place = root, root_watch, reaper, server, in_place
        self.cache, self.allocation = cache, allocation
        self.is_done = False

    def by_order(self) -> None:
        reasons = [describe_undead(self.reaper.kill_everything()), self.delete_root()]
        left = "; ".join(reason for reason in reasons if reason)
        if left:
            self.server.report_problem(left)
            self.server.send({"ev": "bye", "left": clip(left)})
        else:
            self.server.send({"ev": "bye"})
        self.flush_and_end()

    def by_lease(self) -> None:
        self.reaper.kill_everything()
        left = self.delete_root()
        if left:
            sys.stderr.write(left + "\n")  # agent.log
        self.is_done = True

    def by_lost_root(self) -> None:
        """The folder was deleted, moved or replaced, and the results in it are lost."""
        message = "the run's folder {} is gone: {}. The agent ended and killed its chunks, which run again."
        undead = describe_undead(self.reaper.kill_everything())
        self.server.report_problem(message.format(self.root, self.root_watch.lost))
        for problem in self.in_place.close() + ([undead] if undead else []):
            self.server.report_problem(problem)
        self.flush_and_end()

    def by_signal(self, *_: object) -> None:
        """Most likely the node shuts down: kills everything, and keeps the results."""
        self.reaper.kill_everything()
        self.in_place.close()
        os._exit(0)

    def flush_and_end(self) -> None:
        """Gives the coordinator time to read what was sent last."""
        deadline = now() + FLUSH_SECONDS
        while self.server.attached and now() < deadline:
            self.server.flush()
            if self.server.attached and not self.server.attached.unsent:
                self.server.detach()
            time.sleep(0.001)
        self.is_done = True

    def delete_root(self) -> str | None:
        """Deletes the run's folder, and empty folders above it that muster made. Returns why something of it is left, or None."""
        kept = self.in_place.close()
        if kept:
            return "the run's folder {} stays, because files of the user lie in it: {}".format(self.root, "; ".join(kept))
        lost = self.root_watch.check()
        if lost == REPLACED:
            return "the run's folder {} was not deleted: {}".format(self.root, lost)
        error = remove_growing_tree(self.root)
        if error is not None:
            return describe_error(error, "the run's folder {} could not be removed from the node".format(self.root))
        if self.allocation is not None and self.allocation.workdir:
            return self.delete_workdir(self.allocation.workdir)
        self.shrink_cache()
        parent = os.path.dirname(self.root)
        try:
            if os.path.basename(parent) == "runs":
                os.rmdir(parent)
                os.rmdir(os.path.dirname(parent))
        except OSError:
            pass
        return None

    def delete_workdir(self, workdir: str) -> str | None:
        """Deletes the folder that goes with the allocation. Returns why something of it is left, or None."""
        error = remove_growing_tree(workdir)
        return describe_error(error, "the folder {} could not be removed from the node".format(workdir)) if error else None

    def shrink_cache(self) -> None:
        """Brings the cache back within its budget, if this run added to it. What the run used can be removed now."""
        try:
            if self.cache.has_grown:
                self.cache.shrink()
        except OSError as error:
            self.server.report_problem(describe_error(error, "the node's cache could not be brought within its budget"))


def remove_growing_tree(path: str) -> OSError | None:
    """As remove_tree, where the worker thread may still be adding to the tree."""
    error = remove_tree(path)
    for _ in range(MAX_RETRIES):
        if error is not None and error.errno == errno.ENOTEMPTY:
            error = remove_tree(path)
    return error


def describe_undead(pids: list[int]) -> str | None:
    return "processes that survive SIGKILL stay on the node: " + ", ".join(map(str, pids)) if pids else None
