"""The daemon of one run: an event loop in which nothing blocks."""
from __future__ import annotations

import os
import selectors
import signal
import socket
from math import inf
from time import monotonic as now

from .workspace.copy_pool import CopyPool
from .attempts.logs import FIRST_CHECK_SECONDS, Logs, close_logs
from .attempts.memory_admission import MemoryAdmission
from .attempts.preemption import Preemption
from .attempts.progress import ProgressReports
from .attempts.reported_values import ValueReports
from .attempts.reporter import Reporter
from .attempts.slots import SlotPool
from .attempts.spawner import Spawner
from .attempts.termination import Termination
from .attempts.warm_pool import WarmPool
from .builds.builder import Builder
from .cache.content_cache import ContentCache
from .cache.content_finder import ContentFinder
from .commands import Commands
from .connection.owner import Owner
from .connection.server import Server
from .errors import describe_error
from .gpu.card_health import CardHealth
from .gpu.card_set import CardSet
from .gpu.sampler import Sampler
from .in_place.in_place import InPlace
from .processes.oom_kills import OomKills
from .processes.process_table import ProcessTable
from .processes.reap import Reaper
from .processes.scripts import LOW_PRIORITY, ScriptRunner, ScriptSet
from .processes.strays import kill_earlier_agents
from .processes.worker_thread import WorkerThread
from .settings import Settings
from .workspace.free_space import describe_full_disk
from .shutdown import Shutdown
from .storage.abandonment import Abandonment
from .workspace.content_store import ContentStore, MissingContent
from .storage.outbox import Outbox
from .state.state_saver import StateSaver
from .storage.recovery import recover
from .storage.root_watch import RootWatch
from .storage.trash import Trash
from .wakeup import Wakeup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .allocation import Allocation
    from .attempts.attempt import Attempt
    from .attempts.slot import Slot

SWEEP_SECONDS = 0.05  # between two looks for processes that an attempt left behind


class Agent:
    """Makes the parts and calls them in turn. Each part is given the parts that it uses, and owns what it changes."""

    def __init__(self, root: str, listener: socket.socket, allocation: Allocation | None):
        self.boot, self.allocation = read_boot_id(), allocation
        self.next_log_check = 0.0
        self.selector = selectors.PollSelector()
        self.wakeup = Wakeup(self.selector)
        abandonment = Abandonment(root, self.boot)
        self.settings = Settings(root, abandonment)
        self.worker = WorkerThread(self.wakeup.wake)
        self.server = Server(self.selector)
        self.slots = SlotPool(self.selector, self.settings, self.boot, self.server)
        root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # Leads to the run's folder whatever happens to the folders above it, also in the worker thread.
        self.root_link = "/proc/self/fd/{}".format(root_fd)
        self.cache = ContentCache(root)
        self.store = ContentStore(self.root_link, self.cache)
        self.finder = ContentFinder(self.store, self.worker, self.server)
        self.copies = CopyPool(self.root_link, self.store, self.worker)
        self.memory = MemoryAdmission(self.slots, self.server)
        self.oom_kills = OomKills()
        self.cards = CardSet()
        self.spawner = Spawner(self.settings, root_fd, self.copies, self.slots, self.cards, self.selector)
        self.logs = Logs(self.settings, self.server)
        self.processes = ProcessTable(root, self.boot)
        self.reaper = Reaper(self.processes, self.slots)
        self.warm = WarmPool(self.selector, self.settings, self.slots, self.reaper, self.processes, self.copies, self.server)
        self.script_runner = ScriptRunner(self.reaper)
        self.coordinator_scripts = ScriptSet(
            self.script_runner, LOW_PRIORITY, lambda results: self.server.send({"ev": "looked", "answers": results})
        )
        self.card_health = CardHealth(self.selector, self.cards, self.slots, self.script_runner, self.server)
        self.sampler = Sampler(self.selector, self.settings, self.slots, self.reaper, self.server, self.wakeup.wake)
        self.builder = Builder(self.settings, self.copies, self.spawner, self.reaper, self.script_runner, self.server)
        self.root_watch = RootWatch(root, root_fd)
        self.outbox = Outbox(root, self.server)
        self.in_place = InPlace(
            root, self.root_link, self.store, self.worker, self.slots, self.outbox, self.server
        )
        self.shutdown = Shutdown(root, self.root_watch, self.reaper, self.server, self.in_place, self.cache, allocation)
        if not allocation:
            signal.signal(signal.SIGTERM, self.shutdown.by_signal)
        self.termination = Termination(self.slots, self.reaper, self.outbox, self.in_place)
        self.progress = ProgressReports(self.settings, self.slots, self.server)
        self.values = ValueReports(self.settings, self.slots, self.server)
        self.states = StateSaver(self.slots, self.server, self.worker)
        self.preemption = Preemption(self.slots, self.termination, self.states, self.server)
        self.reporter = Reporter(self.settings, self.copies, self.outbox, self.logs, self.states, self.values, self.worker)
        self.trash = Trash(root, self.worker, self.server)
        kill_earlier_agents(root)
        self.in_place.problems = recover(self.outbox, self.processes)
        self.owner = Owner(root, self.server)
        if allocation:
            allocation.watch(self.slots, self.termination, self.outbox, self.server, self.shutdown)
        for folder in abandonment.find_abandoned():
            self.worker.submit(lambda folder=folder: abandonment.remove(folder), lambda _: None)
        commands = Commands(self)
        self.server.listen(listener, commands.refusal, commands.greet, commands.handle)

    def loop(self) -> None:
        while not self.shutdown.is_done:
            for key, mask in self.selector.select(self.timeout_seconds()):
                key.data(mask)
            self.worker.run_callbacks()
            if self.wakeup.is_woken:
                self.wakeup.is_woken = False
                self.reaper.reap()
            self.run_timers()
            ended = (self.reaper.sweep() if self.reaper.sweeping else []) + self.warm.take_finished()
            if self.must_end(ended):
                break
            ended = self.allocation.hold_failures(ended, now()) if self.allocation else ended
            for attempt in ended:
                self.warm.attempt_ended(attempt)
                self.card_health.attempt_ended(attempt)
                self.oom_kills.attempt_ended(attempt)
            finished = self.in_place.finish(ended)
            # The next attempts start before the results of the last ones are read: no slot waits for that.
            self.reporter.take_outputs(finished)
            for slot in self.warm.run_checks(now()):
                self.card_health.worker_ended(slot)
            self.slots.start_ready(self.start, self.admits, self.is_fit)
            for attempt in ended:
                self.memory.attempt_ended(attempt)
            self.reporter.report(finished)
            for attempt in finished:
                if attempt.is_warm:
                    self.copies.clean(attempt)
            if not self.outbox.commit(hurry=not self.slots.is_saturated()):
                self.root_watch.expedite()
            self.server.flush()
            self.trash.empty()

    def must_end(self, ended: list[Attempt]) -> bool:
        """Whether the agent must end. This is checked before ended attempts are reported: where the run's folder was deleted, their
        outputs are gone, but they did not fail."""
        lost = self.root_watch.check() if ended else self.root_watch.poll()
        if lost and not self.shutdown.is_done:
            self.shutdown.by_lost_root()
        return self.shutdown.is_done

    def timeout_seconds(self) -> float:
        """Until the next timer is due."""
        if self.trash.attempts:
            return 0
        active = self.slots.active
        due = [attempt.deadline for attempt in active.values() if attempt.deadline is not None]
        if active:
            due.append(self.next_log_check)
        if self.reaper.sweeping:
            due.append(now() + SWEEP_SECONDS)
        due.extend((self.script_runner.due(), self.card_health.due(), self.memory.due(), self.outbox.due(), self.in_place.due()))
        due.extend((self.builder.due(), self.root_watch.due(), self.progress.due(), self.finder.due(), self.sampler.due()))
        due.extend((self.states.due(), self.warm.due(), self.preemption.due(), self.values.due()))
        due.extend((self.server.expiry(self.settings.lease_seconds), self.allocation.due() if self.allocation else inf))
        due.extend(self.slots.retry_times())
        return max(0.0, min(due) - now())

    def run_timers(self) -> None:
        time_now = now()
        self.termination.check_deadlines(time_now)
        self.script_runner.check_deadlines(time_now)
        self.builder.run_timers(time_now)
        self.finder.run_timers(time_now)
        self.card_health.run_checks(time_now)
        self.sampler.run_checks(time_now)
        self.values.run_checks(time_now)
        for attempt in self.progress.run_checks(time_now):
            self.termination.escalate(attempt)
        self.states.run_checks(time_now)
        self.preemption.run_checks(time_now)
        if time_now >= self.next_log_check:
            self.check_logs(time_now)
        if time_now >= self.memory.due():
            self.check_memory(time_now)
        if time_now >= self.server.expiry(self.settings.lease_seconds):
            self.shutdown.by_lease()
        elif self.allocation:
            self.allocation.run_checks(time_now)

    def check_logs(self, time_now: float) -> None:
        """Keeps logs short, and ends programs that print more than their job allows."""
        active = self.slots.active.values()
        self.next_log_check = time_now + self.logs.limit_all(active)
        for attempt in self.logs.find_excess(active):
            if attempt.phase == "running":
                self.termination.terminate(attempt)

    def check_memory(self, time_now: float) -> None:
        """Evicts the youngest attempt where memory is low, before the kernel kills any."""
        attempt = self.memory.run_checks(time_now)
        if attempt:
            message = "its memory runs out: chunk {} on slot {} started last, so it goes back to the queue"
            self.server.report_problem(message.format(attempt.chunk, attempt.slot))
            self.termination.evict(attempt)

    def admits(self, slot: Slot, attempt: Attempt) -> bool:
        """Whether the node's memory has room for the attempt: that of a warm worker is in use already."""
        return slot.worker is not None or self.memory.admits(slot, attempt)

    def is_fit(self, slot: Slot) -> bool:
        """Whether the GPUs of its next attempt are in order, and the place where that runs need not be waited for."""
        attempt = slot.queue[0]
        fit = [self.warm.admits(one, attempt) and self.card_health.admits(one) for one in self.slots.slots_of(attempt)]
        if not all(fit):
            return False
        return self.copies.admits(slot, attempt) if attempt.program.directory is None else self.in_place.admits(attempt)

    def start(self, slot: Slot, attempt: Attempt) -> None:
        attempt.identity = self.processes.placeholder_identity()
        self.outbox.launch_log.add(attempt)
        worker = None
        try:
            if self.warm.is_warm(attempt):
                worker = self.spawner.give(slot, attempt)
            else:
                self.spawner.spawn(slot, attempt)
        except MissingContent as missing:
            close_logs(attempt)
            self.server.send({"ev": "lacks", "sha256": missing.sha256})
            attempt.cancelled = True  # the chunk did not fail
            return self.fail(attempt, None)
        except (OSError, ValueError, UnicodeError) as error:
            close_logs(attempt)
            if self.root_watch.check():
                return self.root_watch.expedite()  # the chunk did not fail
            reason = describe_error(error, self.spawner.action).replace(self.root_link, self.settings.root)
            attempt.full_disk = describe_full_disk(self.settings.root)
            return self.fail(attempt, reason)
        assert attempt.pid is not None
        attempt.began = now()
        self.next_log_check = min(self.next_log_check, attempt.began + FIRST_CHECK_SECONDS)
        attempt.phase = "running"
        attempt.identity = self.processes.identify(attempt.pid)
        if attempt.program.timeout is not None:
            attempt.deadline = attempt.began + attempt.program.timeout
        if worker is not None:
            self.warm.started(slot, worker, attempt)
        self.slots.occupy(attempt)
        self.memory.attempt_started(attempt)
        self.states.attempt_started(attempt)
        self.sampler.attempt_started(attempt)
        self.oom_kills.attempt_started(attempt)
        self.reaper.watch(attempt)
        self.outbox.add_start(attempt)

    def fail(self, attempt: Attempt, error: str | None) -> None:
        """Adds the result of an attempt that could not start."""
        if attempt.placement is None:
            self.outbox.fail(attempt, error)
        else:
            self.in_place.fail(attempt, error)


def read_boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def serve(root: str, ready_fd: int, allocation: Allocation | None = None) -> None:
    """Listens, writes a byte to `ready_fd`, and never returns. `allocation`: of a batch system, where the agent is its batch script."""
    if os.path.lexists("agent.sock"):
        os.unlink("agent.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)  # the socket's mode; there are no other threads yet
    listener.bind("agent.sock")
    os.umask(umask)
    agent = Agent(root, listener, allocation)
    listener.listen(8)
    listener.setblocking(False)
    os.write(ready_fd, b"1")
    os.close(ready_fd)
    try:
        agent.loop()
    except BaseException:
        agent.reaper.kill_everything()
        agent.in_place.close()
        raise
    agent.slots.release_all()
    os._exit(0)
