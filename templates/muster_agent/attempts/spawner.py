"""Starts the program of an attempt."""
from __future__ import annotations

import errno
import os
import signal

from ..gpu.card_set import join_bindings, list_gpus
from ..processes.process_table import RESET_SIGNALS, kill
from ..state.saved_states import SavedStates
from ..state.state_folder import lay_out
from ..wire import to_bytes
from ..workspace.copy_pool import copy_name
from .chunk_files import write_chunk_files
from .chunk_variables import describe_chunk
from .logs import open_logs
from .terminal import Terminal
from .warm_worker import WarmWorker
from .worker_library import place_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors

    from ..gpu.card_set import CardSet
    from ..settings import Settings
    from .attempt import Attempt
    from ..workspace.copy_pool import CopyPool
    from .slot import Slot
    from .slots import SlotPool

# Of libraries that otherwise start a thread for each core of the node, in each chunk. joblib sets these for its workers, but for
# Rayon's. Most fall back on OpenMP's, so a job or node that sets only that one means all of them. Runtimes that use one thread
# by default, such as Julia, are left out.
THREAD_VARIABLES = [
    name + b"_NUM_THREADS" for name in (b"OMP", b"OPENBLAS", b"MKL", b"BLIS", b"NUMEXPR", b"RAYON", b"NUMBA")
]
DEFAULT_PATH = b"/usr/local/bin:/usr/bin:/bin"


class Spawner:
    """Prepares folders and starts programs in them. `action`: what it is doing, for an error message."""

    def __init__(
        self, settings: Settings, root_fd: int, copies: CopyPool, slots: SlotPool, cards: CardSet, selector: selectors.BaseSelector
    ):
        self.settings, self.root_fd, self.copies, self.selector = settings, root_fd, copies, selector
        self.slots, self.cards = slots, cards
        self.programs: dict[tuple[bytes, bytes], bytes] = {}
        self.library: bytes | None = None  # the folder of the worker library, once it is there
        self.action = ""

    def spawn(self, slot: Slot, attempt: Attempt) -> None:
        """Starts the attempt's process, or gives the attempt to the slot's warm worker. OSError, ValueError or UnicodeError where it cannot start."""
        try:
            self.enter_directory(attempt) if attempt.placement else self.enter_copy(slot, attempt)
            attempt.cards = self.cards.describe(self.slots.slots_of(attempt))
            self.lay_out_state(attempt)
            if attempt.program.tty:
                self.action = "no terminal could be opened"
                attempt.terminal = Terminal(self.selector)
            argv = attempt.program.argv + [to_bytes(word) for word in attempt.args]
            self.action = "{} could not be started".format(argv[0].decode("utf-8", "replace"))
            env = self.environment(slot, attempt)
            env[b"PWD"] = os.getcwdb()  # Blender and others resolve relative paths against it
            path = self.find_program(argv[0], env)
            if attempt.placement:
                attempt.placement.locks.set_inheritable(True)
                attempt.placement.may_write = True  # before the pid is known: a signal may end the agent between the two
            attempt.pid = spawn_program(path, argv, env, attempt)
            if attempt.terminal:
                attempt.terminal.start(attempt.out)
        finally:
            os.fchdir(self.root_fd)
            if attempt.placement:
                attempt.placement.locks.set_inheritable(False)
                attempt.placement.may_write = attempt.pid is not None

    def give(self, slot: Slot, attempt: Attempt) -> WarmWorker:
        """Gives the attempt to the slot's warm worker, which is started where there is none. Errors as of `spawn`."""
        assert attempt.program.warm is not None
        worker = slot.worker
        try:
            self.enter_copy(slot, attempt)
            attempt.cards = self.cards.describe(self.slots.slots_of(attempt))
            self.lay_out_state(attempt)
            self.action = "chunk {} could not be given to its worker".format(attempt.chunk)
            variables = describe_chunk(self.settings.root, attempt)
            folder = os.path.join(self.settings.root, attempt.folder)
            write_chunk_files(folder, attempt, variables)
            if worker is None:
                worker = WarmWorker(attempt.program.worker_key, attempt.program.warm)
                try:
                    self.start_worker(slot, attempt, worker)
                except BaseException:
                    worker.close()
                    raise
                finally:
                    worker.close_worker_ends()
            attempt.pid = worker.pid
            try:
                worker.give(folder)
            except BrokenPipeError:
                # A program that was started for this chunk may take no other, and have ended already: how it ends counts.
                if worker is slot.worker:
                    attempt.cancelled = True  # the worker has just ended, or closed its descriptor, and the chunk did not fail
                    kill(worker.pid, signal.SIGKILL, group=True)
            return worker
        finally:
            os.fchdir(self.root_fd)

    def start_worker(self, slot: Slot, attempt: Attempt, worker: WarmWorker) -> None:
        argv = attempt.program.argv + [to_bytes(word) for word in attempt.args]
        self.action = "{} could not be started".format(argv[0].decode("utf-8", "replace"))
        env = self.environment(slot, attempt)
        env[b"PWD"] = os.getcwdb()
        env.update(worker.variables())
        worker.pid = spawn_program(self.find_program(argv[0], env), argv, env, attempt, worker.file_actions())

    def enter_copy(self, slot: Slot, attempt: Attempt) -> None:
        """Enters the attempt's working directory in the slot's working copy."""
        self.action = "the attempt's folder {} could not be made".format(os.path.join(self.settings.root, attempt.folder))
        os.mkdir(attempt.folder, 0o700)
        open_logs(attempt)
        self.action = "the working copy of slot {} could not be prepared".format(slot.number)
        attempt.copy_name = copy_name(slot)
        copy = self.copies.open(slot, attempt.program)
        cwd = attempt.program.cwd
        attempt.work = copy
        make_empty(copy, attempt.program.appended)
        os.chdir(os.path.join(copy, cwd) if cwd else copy)

    def enter_directory(self, attempt: Attempt) -> None:
        """Enters the job's directory, for an attempt that has been prepared."""
        placement = attempt.placement
        assert placement is not None
        self.action = "the attempt could not be prepared"
        if placement.error is not None:
            raise placement.error
        open_logs(attempt)
        attempt.work = placement.copy.path
        self.action = "the directory {} could not be entered".format(attempt.program.directory)
        make_empty(placement.directory, [path for path in attempt.program.appended if path in attempt.program.plain])
        make_empty(placement.copy.path, [path for path in attempt.program.appended if path not in attempt.program.plain])
        os.chdir(placement.directory)

    def lay_out_state(self, attempt: Attempt) -> None:
        """Makes the folder of the attempt's state, if its job keeps one."""
        if attempt.program.state is None:
            return
        self.action = "the folder of its state could not be made"
        folder = os.path.join(self.copies.root, attempt.folder)
        lay_out(folder, attempt.kept_state, self.copies.store)
        attempt.saved_states = SavedStates(folder, attempt.program.state["limit"])

    def environment(self, slot: Slot, attempt: Attempt) -> dict[bytes, bytes]:
        spec, key = attempt.program, tuple(attempt.slots)
        base = spec.environments.get(key)
        if base is None:
            base = spec.environments[key] = self.slot_environment(slot, attempt)
        env = base.copy()
        env.update(self.cards.binding(self.slots.slots_of(attempt)))
        if attempt.cards:
            env[b"MUSTER_GPU_PCI"] = ",".join("{}".format(card["pci"]) for card in attempt.cards).encode()
        if spec.tty:
            env.setdefault(b"TERM", b"xterm")
        env.update(describe_chunk(self.settings.root, attempt))
        return env

    def slot_environment(self, slot: Slot, attempt: Attempt) -> dict[bytes, bytes]:
        """What all attempts of a spec on the same slots have in common."""
        spec, slots = attempt.program, self.slots.slots_of(attempt)
        gpus = list_gpus(slots)
        base = dict(self.settings.base_env)
        base.update(slot.defaults)
        base.update(spec.env)
        base.update(slot.env)
        if len(gpus) > 1:
            base.update(join_bindings(slots))
        if spec.threads is not None:
            add_thread_count(base, spec.threads)
        base[b"MUSTER_SLOT"] = b"%d" % slot.number
        if gpus:
            base[b"MUSTER_GPU"] = b"%d" % gpus[0]
            base[b"MUSTER_GPUS"] = b",".join(b"%d" % gpu for gpu in gpus)
        copy = os.fsencode("{}/w/{}".format(self.settings.root, slot.number))
        own = [base[b"PYTHONPATH"]] if base.get(b"PYTHONPATH") else []
        project = [os.path.join(copy, path) for path in spec.python_path]
        base[b"PYTHONPATH"] = b":".join(project + own + [self.library_folder()])
        return base

    def library_folder(self) -> bytes:
        if self.library is None:
            self.library = place_library(self.settings.root)
        return self.library

    def find_program(self, name: bytes, env: dict[bytes, bytes]) -> bytes:
        """The path of a program: found in the PATH that the chunk gets, or, with a slash in it, relative to its working directory.
        FileNotFoundError where there is none."""
        if b"/" in name:
            return name
        path = env.get(b"PATH", DEFAULT_PATH)
        found = self.programs.get((name, path))
        if found is None:
            for folder in path.split(b":"):
                found = os.path.join(folder or b".", name)
                if os.path.isfile(found) and os.access(found, os.X_OK):
                    break
            else:
                is_own = path == os.environb.get(b"PATH", DEFAULT_PATH)  # values of `env` may be secret, so they are not shown
                shown = path.decode("utf-8", "replace") if is_own else "(as env sets it)"
                raise FileNotFoundError(errno.ENOENT, "no such program in PATH=" + shown)
            if found.startswith(b"/"):
                self.programs[(name, path)] = found
        return found


def add_thread_count(env: dict[bytes, bytes], threads: int) -> None:
    """Limits the threads of common libraries, unless the job or the node does that with OMP_NUM_THREADS."""
    if b"OMP_NUM_THREADS" not in env:
        for name in THREAD_VARIABLES:
            env.setdefault(name, b"%d" % threads)


def make_empty(top: bytes, paths: list[bytes]) -> None:
    """Makes empty files, to which a program appends."""
    for path in paths:
        os.close(os.open(os.path.join(top, path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))


def spawn_program(
    path: bytes, argv: list[bytes], env: dict[bytes, bytes], attempt: Attempt, descriptors: list[tuple[int, int, int]] | None = None
) -> int:
    """The pid of the program, which leads a process group of its own and writes to the attempt's logs, or to its terminal."""
    assert attempt.out is not None and attempt.err is not None
    if attempt.terminal:
        # A session leader without a terminal gets the first one that it opens as its controlling terminal.
        actions = [(os.POSIX_SPAWN_OPEN, 0, attempt.terminal.path, os.O_RDWR, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]
    else:
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, attempt.out, 1), (os.POSIX_SPAWN_DUP2, attempt.err, 2)]
    actions += descriptors or []
    try:
        return os.posix_spawn(path, argv, env, file_actions=actions, setsid=True, setsigmask=[], setsigdef=RESET_SIGNALS)
    except NotImplementedError:
        return os.posix_spawn(path, argv, env, file_actions=actions, setpgroup=0, setsigmask=[], setsigdef=RESET_SIGNALS)
