"""What an attempt that runs in a folder of the node needs there."""
from __future__ import annotations

import os

from ..workspace.layout import build_layout
from ..workspace.working_copy import WorkingCopy
from .path_locks import PathLocks
from .set_aside import remove_output, restore, set_aside, take_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from ..attempts.attempt import Attempt
    from ..workspace.content_store import ContentStore


class Placement:
    """The folder of an attempt, its inputs, and what it sets aside. All paths are absolute: this works in any thread. `root_link`: a
    path of the run's folder `root` that stays valid. `is_ready`: whether it is prepared, or could not be (`error`). `may_write`:
    whether its program may have begun. `is_finished`: whether `finish` is done."""

    def __init__(
        self, root: str, root_link: str, attempt: Attempt, store: ContentStore, report: Callable[[str], object]
    ):
        spec = attempt.program
        assert spec.directory is not None
        self.directory = os.fsencode(os.path.realpath(os.path.expanduser(spec.directory)))
        self.folder, self.shown_folder = os.path.join(root_link, attempt.folder), os.path.join(root, attempt.folder)
        self.attempt, self.plain, self.watch = attempt, spec.plain, spec.watch
        self.copy = WorkingCopy(self.folder + "/work", store)
        below = [name for _, name in spec.outputs if name not in spec.plain]
        self.layout = build_layout(None, spec.files, below, spec.needed_folders)
        self.locks = PathLocks([os.path.join(self.directory, path) for path in self.plain], report)
        self.is_ready = self.may_write = self.is_finished = False
        self.error: Exception | None = None

    def prepare(self) -> None:
        """OSError or MissingContent where that is not possible; `finish` puts back what was set aside."""
        for folder in sorted(self.locks.earlier):
            problems = restore(os.fsdecode(folder))
            if problems:
                raise OSError("; ".join(problems))
        os.mkdir(self.folder, 0o700)
        self.copy.prepare(self.layout)
        self.locks.note(self.shown_folder)
        set_aside(self.folder, self.directory, self.plain)

    def finish(self, has_succeeded: bool | None) -> tuple[OSError | None, list[str]]:
        """Takes the outputs out of the directory, and puts back what was there. Returns why an output could not be taken, or None;
        and which files of the user could not be put back. `has_succeeded`: None = the program was never started."""
        taking = None
        for path in self.plain if has_succeeded is not None else []:
            try:
                if has_succeeded:
                    take_output(self.directory, path, self.copy.path)
                else:
                    remove_output(self.directory, path)
            except OSError as error:
                taking = taking or error
        problems = restore(self.folder)
        self.is_finished = True
        return taking if has_succeeded else None, problems
