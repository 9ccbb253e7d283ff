"""Makes the build of a run, or takes it from the node's cache."""
from __future__ import annotations

import os
from math import inf
from time import monotonic as now

from ..errors import describe_error
from ..processes.scripts import ScriptSet
from ..wire import clip
from ..workspace.content_store import MissingContent
from ..workspace.layout import build_layout
from ..workspace.tree_removal import remove_tree
from ..workspace.working_copy import WorkingCopy
from .build_cache import BuildCache
from .build_outputs import BuildError, find_outputs, remove_matches
from .build_process import ATTEMPT_MARK, LOG_FLAGS, BuildProcess
from .toolchain import TIMEOUT_SECONDS, toolchain_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..attempts.spawner import Spawner
    from ..connection.server import Server
    from ..processes.reap import Reaper
    from ..processes.scripts import ScriptResult, ScriptRunner
    from ..settings import Settings
    from ..wire import Message
    from ..workspace.copy_pool import CopyPool
    from ..workspace.layout import FileEntry, Layout
    from .build_lock import BuildLock
    from .build_request import BuildRequest

LOCK_RETRY_SECONDS = 0.2
TAIL_BYTES = 2000  # of the log, for an error message
LOG = "build.log"


class Builder:
    """Works on one request at a time, in steps that are callbacks: it reads the versions of the compilers, locks the build, looks
    into the cache, prepares a working copy, runs the program, and stores its outputs. `made`: keys of finished builds by the ids
    of their requests. `next`: the request of a newer coordinator, where it differs from the one at work."""

    def __init__(
        self, settings: Settings, copies: CopyPool, spawner: Spawner, reaper: Reaper, scripts: ScriptRunner, server: Server
    ):
        self.settings, self.copies, self.spawner, self.reaper, self.server = settings, copies, spawner, reaper, server
        self.cache = BuildCache(settings.root)
        self.toolchain = ScriptSet(scripts, 0, self.toolchain_read)
        self.made: dict[str, str] = {}
        self.current: BuildRequest | None = None
        self.next: BuildRequest | None = None
        self.key = ""
        self.lock: BuildLock | None = None
        self.retry_at = inf
        self.copy = WorkingCopy(os.path.join(copies.root, "w", "build"), copies.store)
        self.process: BuildProcess | None = None
        self.log_fd: int | None = None

    def handle(self, request: BuildRequest) -> None:
        """Starts a build, unless one is running. The answer goes to the coordinator that is attached at its end."""
        if self.current is None:
            self.begin(request)
        elif self.current.id != request.id:
            self.next = request
            if self.process is not None:
                self.process.kill()

    def due(self) -> float:
        return min(self.retry_at, self.process.due() if self.process else inf)

    def run_timers(self, time_now: float) -> None:
        if self.process is not None:
            self.process.run_timers(time_now)
        if time_now >= self.retry_at:
            self.try_lock()

    def begin(self, request: BuildRequest) -> None:
        self.current = request
        known = self.made.get(request.id)
        if known is not None and self.is_stored(self.copies.builds[known]):
            return self.answer({"cached": True, "key": known})
        self.toolchain.start([toolchain_script(self.environment(request))], TIMEOUT_SECONDS)

    def is_stored(self, entries: dict[bytes, FileEntry]) -> bool:
        store = self.copies.store
        return all(entry.target is not None or store.has(entry.sha256, entry.size_bytes) for entry in entries.values())

    def environment(self, request: BuildRequest) -> dict[bytes, bytes]:
        env = dict(self.settings.base_env)
        env.update(request.env)
        env[b"MUSTER_ROOT"], env[b"MUSTER_ATTEMPT"] = os.fsencode(self.settings.root), ATTEMPT_MARK
        return env

    def toolchain_read(self, results: list[ScriptResult]) -> None:
        assert self.current is not None
        result = results[0]
        if result["exit"] != 0:
            return self.fail("the versions of the compilers cannot be read: {}".format(result.get("error") or result["stderr"]))
        self.key = self.current.key(result["stdout"])
        try:
            self.lock = self.cache.lock(self.key)
        except OSError as error:
            return self.fail(describe_error(error, "the cache of builds cannot be used"))
        self.try_lock()

    def try_lock(self) -> None:
        assert self.lock is not None
        try:
            is_ours = self.lock.acquire()
        except OSError as error:
            return self.fail(describe_error(error, "the build cannot be locked"))
        if self.next is not None:
            return self.fail("superseded")
        self.retry_at = inf if is_ours else now() + LOCK_RETRY_SECONDS
        if is_ours:
            self.copies.worker.submit(lambda: self.cache.restore(self.key, self.copies.store), self.restored)

    def restored(self, result: dict[bytes, FileEntry] | OSError | None) -> None:
        assert self.current is not None
        if isinstance(result, OSError):
            return self.fail(describe_error(result, "an earlier build cannot be used"))
        if result is not None:
            return self.succeed(result, {"cached": True})
        try:
            tree = self.copies.load_tree(self.current.tree)
        except (OSError, MissingContent) as error:
            return self.fail(describe_error(error, "the project is not on the node"))
        layout = build_layout(tree, {}, [], [self.current.cwd])
        self.copies.worker.submit(lambda: self.prepare(layout), self.prepared)

    def prepare(self, layout: Layout) -> None:
        try:
            self.copy.prepare(layout)
        except MissingContent as error:
            raise BuildError("a file of the project is missing in the store: {}".format(error.sha256)) from None
        assert self.current is not None
        remove_matches(self.copy.path, self.current.outputs)

    def prepared(self, error: OSError | None) -> None:
        if error is not None:
            return self.fail(describe_error(error, "the working copy of the build could not be prepared"))
        if self.next is not None:
            return self.fail("superseded")
        try:
            self.start_program()
        except (OSError, ValueError) as start_error:
            self.process = None
            self.fail(describe_error(start_error, "it could not be started"))

    def start_program(self) -> None:
        request = self.current
        assert request is not None
        env = self.environment(request)
        self.log_fd = os.open(os.path.join(self.settings.root, LOG), LOG_FLAGS, 0o600)
        self.process = BuildProcess(self.reaper, self.log_fd, request.timeout_seconds, self.ended)
        try:
            os.chdir(os.path.join(self.copy.path, request.cwd))
            env[b"PWD"] = os.getcwdb()
            self.process.start(self.spawner.find_program(request.argv[0], env), request.argv, env)
        finally:
            os.fchdir(self.spawner.root_fd)

    def ended(self) -> None:
        request, process = self.current, self.process
        assert request is not None and process is not None
        if process.undead:
            return self.fail("processes of it survive SIGKILL: " + ", ".join(map(str, process.undead)))
        if process.timed_out:
            return self.fail("still running after its timeout of {:g} s".format(request.timeout_seconds))
        if process.status != 0:
            return self.fail(describe_status(process.status or 0))
        self.copies.worker.submit(lambda: self.store(request), self.stored)

    def store(self, request: BuildRequest) -> dict[bytes, FileEntry]:
        found = find_outputs(self.copy.path, request.outputs)
        self.cache.save(self.key, self.copy.path, found)
        entries = self.cache.restore(self.key, self.copies.store)
        if entries is None:
            raise BuildError("the disk of the node does not keep what is written to it")
        return entries

    def stored(self, result: dict[bytes, FileEntry] | OSError) -> None:
        if isinstance(result, BuildError):
            return self.fail(str(result))
        if isinstance(result, OSError):
            return self.fail(describe_error(result, "its outputs cannot be stored"))
        self.succeed(result, {"cached": False})

    def succeed(self, entries: dict[bytes, FileEntry], message: Message) -> None:
        assert self.current is not None
        self.copies.builds[self.key] = entries
        self.made[self.current.id] = self.key
        self.answer(dict(message, key=self.key))

    def fail(self, reason: str) -> None:
        self.answer({"cached": False, "error": clip(reason)})

    def answer(self, message: Message) -> None:
        """Ends the work on a request. A newer one is begun instead of an answer."""
        request = self.current
        assert request is not None
        message.update(ev="built", id=request.id, seconds=0)
        if self.process is not None:
            message["seconds"] = round(now() - self.process.began, 3)
        if self.log_fd is not None:
            self.add_log(message, self.log_fd)
        self.clean_up()
        if self.next is None:
            return self.server.send(message)
        request, self.next = self.next, None
        self.begin(request)

    def add_log(self, message: Message, fd: int) -> None:
        size_bytes = os.fstat(fd).st_size
        if size_bytes:
            message["log"] = size_bytes
            message["tail"] = os.pread(fd, TAIL_BYTES, max(0, size_bytes - TAIL_BYTES)).decode("utf-8", "replace")
        os.close(fd)
        self.log_fd = None

    def clean_up(self) -> None:
        self.current = self.process = None
        self.retry_at = inf
        path = os.fsdecode(self.copy.path)
        self.copy = WorkingCopy(path, self.copies.store)
        if self.lock is None:
            return
        self.lock.release()
        self.lock = None
        self.copies.worker.submit(lambda: self.tidy(path), lambda _: None)

    def tidy(self, path: str) -> None:
        remove_tree(path)
        self.cache.prune()


def describe_status(status: int) -> str:
    if os.WIFSIGNALED(status):
        return "killed by signal {}".format(os.WTERMSIG(status))
    return "exit code {}".format(os.WEXITSTATUS(status))
