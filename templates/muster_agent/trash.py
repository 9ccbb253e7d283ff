"""Folders of acknowledged attempts."""
import os

from .removal import remove_tree
from .trouble import explain
from .wire import raw


class Trash:
    """Deletes them by the names we know, and, where a chunk left more, by looking."""

    def __init__(self, root, helper, link):
        self.root, self.helper, self.link = root, helper, link
        self.attempts = []

    def empty(self):
        attempts, self.attempts = self.attempts, []
        for attempt in attempts:
            try:
                discard(attempt)
            except OSError:
                path = os.path.join(self.root, attempt.folder)
                self.helper.submit(lambda path=path: remove_tree(path), self.tell)

    def tell(self, trouble):
        if trouble is not None:
            self.link.problem(explain(trouble, "the folder of an attempt could not be removed"))


def discard(attempt):
    """Without listing anything: OSError when more is there than the attempt's own files."""
    folder = attempt.folder
    if attempt.spec is None or attempt.pid is None:
        if os.path.isdir(folder):
            remove_tree(folder)
        return
    work = os.fsencode(folder) + b"/work/"
    os.unlink(folder + "/out")
    os.unlink(folder + "/err")
    names = {name for name, _, _, _ in attempt.spec.files}
    names.update(raw(output["path"]) for output in attempt.outputs)
    for name in names:
        os.unlink(work + name)
    for name in reversed(attempt.spec.folders):
        os.rmdir(work + name)
    os.rmdir(work)
    os.rmdir(folder)
