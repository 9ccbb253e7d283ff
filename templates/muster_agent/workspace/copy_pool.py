"""The working copies of all slots, in w/ by slot number: one, or two in turn for a warm worker."""
from __future__ import annotations

from .content_store import MissingContent
from .layout import ProjectTree, build_layout, overlay, parse_manifest
from .working_copy import WorkingCopy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..processes.worker_thread import WorkerThread
    from .content_store import ContentStore
    from ..attempts.attempt import Attempt
    from .layout import FileEntry, Layout
    from ..attempts.slot import Slot
    from ..attempts.spec import Spec

MAX_FILES_IN_LOOP = 1000  # a larger working copy is prepared in the worker thread: that takes longer than the loop may
SECOND = "-2"  # what the names of second working copies end with
CHANGED_INPUT = "the input {} was written to while it ran, and other chunks read it too: copy it first, or declare it in outputs"


class CopyPool:
    """`root`: a path of the run's folder that stays valid. `trees`: project trees by the SHA-256 of their manifests. `builds`: what
    was built for this run, by the keys of builds."""

    def __init__(self, root: str, store: ContentStore, worker: WorkerThread):
        self.root, self.store, self.worker = root, store, worker
        self.trees: dict[str, ProjectTree] = {}
        self.builds: dict[str, dict[bytes, FileEntry]] = {}
        self.built_trees: dict[tuple[str, str], ProjectTree] = {}  # project trees with a build over them
        self.copies: dict[str, WorkingCopy] = {}
        self.pending: set[str] = set()  # those that are being prepared
        self.errors: dict[str, Exception] = {}  # why that failed

    def load_tree(self, sha256: str) -> ProjectTree:
        """OSError where its manifest is not stored, or is none."""
        if sha256 not in self.trees:
            try:
                self.trees[sha256] = ProjectTree(parse_manifest(self.store.read(sha256)))
            except (ValueError, KeyError, IndexError, TypeError) as error:
                raise OSError("the manifest of the project cannot be read: {}".format(error)) from None
        return self.trees[sha256]

    def built_tree(self, sha256: str, build: str) -> ProjectTree:
        """The files of a project with those of a build over them. OSError where one of the two is not there."""
        tree = self.built_trees.get((sha256, build))
        if tree is None:
            if build not in self.builds:
                raise OSError("the agent does not have the build " + build)
            tree = ProjectTree(overlay(self.load_tree(sha256).entries, self.builds[build]))
            self.built_trees[sha256, build] = tree
        return tree

    def admits(self, slot: Slot, attempt: Attempt) -> bool:
        """Whether the attempt can start, or fail: a large working copy is prepared first, while the loop continues."""
        name = copy_name(slot)
        if name in self.pending:
            return False
        copy = self.of(name)
        try:
            layout = self.layout(attempt.program)
        except (OSError, MissingContent):
            return True  # `open` raises it again
        is_small = len(layout.entries) + len(copy.placed) <= MAX_FILES_IN_LOOP
        if is_small or copy.prepared is layout or name in self.errors:
            return True
        self.prepare_in_thread(name, copy, layout)
        return False

    def prepare_in_thread(self, name: str, copy: WorkingCopy, layout: Layout) -> None:
        self.pending.add(name)
        self.worker.submit(lambda: prepare(copy, layout), lambda error: self.prepared(name, error))

    def prepared(self, name: str, error: Exception | None) -> None:
        self.pending.discard(name)
        if error is not None:
            self.errors[name] = error

    def clean(self, attempt: Attempt) -> None:
        """Makes the working copy of an attempt that has ended equal to its layout again, while its worker runs in the other one. What
        differs later was written too late (`find_late_write`)."""
        copy, layout = self.copy_of(attempt), attempt.program.layout
        if layout is None or attempt.copy_name in self.pending:
            return
        if len(layout.entries) > MAX_FILES_IN_LOOP:
            self.prepare_in_thread(attempt.copy_name, copy, layout)
        else:
            prepare(copy, layout)  # where that fails, the next attempt says so

    def find_late_write(self, attempt: Attempt) -> str | None:
        """What the worker of an attempt that has ended has written since into its working copy; None where that is nothing, or too
        much would have to be looked at."""
        layout = attempt.program.layout
        copy = self.copy_of(attempt)
        if layout is None or copy.prepared is not layout or len(layout.entries) > MAX_FILES_IN_LOOP:
            return None
        changed = copy.find_change(layout)
        return None if changed is None else changed.decode("utf-8", "replace")

    def find_early_write(self, slot: Slot) -> str | None:
        """What somebody has written into the slot's next working copy since it was cleaned; None where that is nothing, or too much
        would have to be looked at. The copy is prepared again then."""
        copy = self.copies.get(copy_name(slot))
        layout = copy.prepared if copy else None
        if copy is None or layout is None or len(layout.entries) > MAX_FILES_IN_LOOP:
            return None
        changed = copy.find_change(layout)
        if changed is None:
            return None
        copy.prepared = None
        return changed.decode("utf-8", "replace")

    def distrust(self, slot: Slot) -> None:
        """Has the working copies of a slot prepared again: its worker, which has ended, may have written into them at any time."""
        for name in (str(slot.number), str(slot.number) + SECOND):
            if name in self.copies:
                self.copies[name].prepared = None

    def open(self, slot: Slot, spec: Spec) -> bytes:
        """The path of the slot's working copy, as an attempt finds it when it starts. OSError where it cannot be made so,
        and MissingContent."""
        name = copy_name(slot)
        copy, layout = self.of(name), self.layout(spec)
        error = self.errors.pop(name, None)
        if error is not None:
            raise error
        if copy.prepared is not layout:
            copy.prepare(layout)
        copy.prepared = None
        return copy.path

    def check_inputs(self, attempt: Attempt) -> str | None:
        """Why an attempt that has ended failed: a shared input was written to while it ran."""
        layout = attempt.placement.layout if attempt.placement else attempt.program.layout
        changed = self.copy_of(attempt).changed_inputs(layout) if layout else []
        return CHANGED_INPUT.format(changed[0].decode("utf-8", "replace")) if changed else None

    def copy_of(self, attempt: Attempt) -> WorkingCopy:
        """The working copy that the attempt ran in."""
        return attempt.placement.copy if attempt.placement else self.of(attempt.copy_name)

    def of(self, name: str) -> WorkingCopy:
        copy = self.copies.get(name)
        if copy is None:
            copy = self.copies[name] = WorkingCopy("{}/w/{}".format(self.root, name), self.store)
        return copy

    def layout(self, spec: Spec) -> Layout:
        if spec.layout is None:
            spec.layout = build_layout(self.tree_of(spec), spec.files, spec.output_names, spec.needed_folders)
        return spec.layout

    def tree_of(self, spec: Spec) -> ProjectTree | None:
        if spec.tree is None:
            return None
        return self.load_tree(spec.tree) if spec.build is None else self.built_tree(spec.tree, spec.build)


def copy_name(slot: Slot) -> str:
    """Of the working copy that the slot's next attempt gets. A warm worker has two in turn."""
    return str(slot.number) if slot.turn == 0 else str(slot.number) + SECOND


def prepare(copy: WorkingCopy, layout: Layout) -> Exception | None:
    """Prepares a working copy in the worker thread. Why that failed, or None."""
    try:
        copy.prepare(layout)
    except (OSError, MissingContent) as error:
        return error
    return None
