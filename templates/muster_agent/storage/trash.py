"""Folders of acknowledged attempts, which are to be deleted."""
from __future__ import annotations

import os

from ..attempts.chunk_files import NAMES as CHUNK_FILES
from ..errors import describe_error
from ..in_place.set_aside import has_record, restore
from ..wire import to_bytes
from ..workspace.tree_removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..attempts.attempt import Attempt
    from ..connection.server import Server
    from ..processes.worker_thread import WorkerThread


class Trash:
    """Deletes the files that are known by name; where a chunk left more, the worker thread deletes the tree."""

    def __init__(self, root: str, worker: WorkerThread, server: Server):
        self.root, self.worker, self.server = root, worker, server
        self.attempts: list[Attempt] = []

    def empty(self) -> None:
        attempts, self.attempts = self.attempts, []
        for attempt in attempts:
            try:
                delete_known_files(attempt)
            except OSError:
                path = os.path.join(self.root, attempt.folder)
                self.worker.submit(lambda path=path: remove_attempt(path), self.report)

    def report(self, error: OSError | str | None) -> None:
        if isinstance(error, str):
            self.server.report_problem(error)
        elif error is not None:
            self.server.report_problem(describe_error(error, "the folder of an attempt could not be removed"))


def remove_attempt(folder: str) -> OSError | str | None:
    """Deletes the folder of an attempt, unless a file of the user lies there that cannot be put back. Returns why it stays, or None."""
    problems = restore(folder)
    return "; ".join(problems) if problems else remove_tree(folder)


def delete_known_files(attempt: Attempt) -> None:
    """Lists no folder. OSError where there is more than the attempt's logs and outputs."""
    folder = attempt.folder
    if has_record(folder):
        raise OSError("it has files of the user")
    if attempt.spec is None or attempt.pid is None:
        if os.path.isdir(folder):
            remove_tree(folder)
        return
    os.unlink(folder + "/out")
    os.unlink(folder + "/err")
    for name in CHUNK_FILES if attempt.is_warm else ():
        os.unlink(folder + "/" + name)
    try:
        os.rmdir(folder)
        return
    except OSError:
        pass  # it has outputs
    for output in attempt.outputs:
        if "data" not in output:
            os.unlink(os.fsencode(folder) + b"/work/" + to_bytes(output["path"]))
    os.rmdir(folder + "/work")
    os.rmdir(folder)
