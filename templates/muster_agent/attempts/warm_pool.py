"""The warm workers of all slots: gives them chunks, takes their answers, and ends those that must not go on."""
from __future__ import annotations

import os
import signal
from math import inf
from time import monotonic as now

from ..processes.memory_usage import process_tree, resident_bytes
from ..processes.process_table import kill
from .logs import logged_bytes
from .open_outputs import find_open_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors

    from ..connection.server import Server
    from ..processes.process_table import ProcessTable
    from ..processes.reap import Reaper
    from ..settings import Settings
    from ..workspace.copy_pool import CopyPool
    from .attempt import Attempt
    from .slot import Slot
    from .slots import SlotPool
    from .warm_worker import WarmWorker

EXIT_SECONDS = 5.0  # for a worker to end after the end of its input
SWEEP_SECONDS = 0.05  # between two looks for processes that a worker left behind
LOG_CHECK_SECONDS = 1.0  # between two looks at what idle workers print
NOT_WARM = "`{}` ended without asking for its chunk, so it is started for each chunk: loop over muster.chunks(), or leave out `worker: warm`"
LATE_WRITE = "its worker wrote {} into the folder of chunk {}, which had ended"
EARLY_WRITE = "its worker wrote {} into the folder of an earlier chunk, which the next one gets"
NO_ANSWER = "its worker wrote {!r} to descriptor 4, where muster expects only `ready` and `done FOLDER`"
TWICE = "its worker said again that a chunk was done that had ended"
FLOOD = "its worker prints without having a chunk, more than a log may have"
MUTE = "its worker closed descriptor 4, so it cannot say that its chunk is done"
OPEN_OUTPUT = "its worker said that it was done, and still has {} open for writing: close it before"


class WarmPool:
    """`cold`: keys of programs that turned out to take one chunk only. `finished`: attempts that ended while their worker lives."""

    def __init__(
        self, selector: selectors.BaseSelector, settings: Settings, slots: SlotPool, reaper: Reaper, table: ProcessTable,
        copies: CopyPool, server: Server,
    ):  # fmt: skip
        self.selector, self.settings, self.slots, self.reaper, self.table = selector, settings, slots, reaper, table
        self.copies, self.server = copies, server
        self.cold: set[object] = set()
        self.finished: list[Attempt] = []
        self.next_log_check = 0.0

    def is_warm(self, attempt: Attempt) -> bool:
        return attempt.program.warm is not None and attempt.program.worker_key not in self.cold

    def admits(self, slot: Slot, attempt: Attempt) -> bool:
        """Whether the slot's worker can take the attempt, or there is none. One that cannot is ended first."""
        worker = slot.worker
        if worker is None:
            return True
        if not worker.is_retiring and worker.spent is None and worker.key == attempt.program.worker_key:
            changed = self.copies.find_early_write(slot)
            if changed is None:
                return True
            worker.spent = EARLY_WRITE.format(changed)
            self.server.report_problem("slot {}: {}; it is started again".format(slot.number, worker.spent))
        self.retire(slot, worker)
        return False

    def started(self, slot: Slot, worker: WarmWorker, attempt: Attempt) -> None:
        """The worker has got the attempt, its first one or a later one."""
        assert attempt.pid is not None
        attempt.is_warm = True
        self.reaper.tools.pop(worker.pid, None)
        if slot.worker is not worker:
            slot.worker, worker.pid = worker, attempt.pid
            self.selector.register(worker.answers_reader, 1, lambda _: self.receive(slot, worker))
        worker.attempt = attempt
        worker.chunk_count += 1
        self.reaper.worker_attempts[worker.id] = attempt.id

    def receive(self, slot: Slot, worker: WarmWorker) -> None:
        lines = worker.read_lines()
        if lines is None:
            self.selector.unregister(worker.answers_reader)
            os.close(worker.answers_reader)
            worker.answers_reader = -1
            if worker.attempt is None:
                self.retire(slot, worker)
            elif worker.loaded_at is not None:
                worker.kill_at = now() + EXIT_SECONDS  # its process may be about to end
        for line in lines or []:
            self.handle(slot, worker, line)

    def handle(self, slot: Slot, worker: WarmWorker, line: bytes) -> None:
        attempt = worker.attempt
        word = line.partition(b" ")[0]
        if word == b"ready" and worker.loaded_at is None:
            worker.loaded_at = now()
            if attempt is not None:
                attempt.loading = worker.loaded_at - attempt.began
        elif word != b"done":
            self.break_off(slot, worker, NO_ANSWER.format(line[:100].decode("utf-8", "replace")))
        elif attempt is None or not is_done(line, attempt):
            self.break_off(slot, worker, TWICE)
        elif attempt.phase == "running":
            self.finish(slot, worker, attempt)

    def break_off(self, slot: Slot, worker: WarmWorker, reason: str) -> None:
        """Ends a worker that breaks the protocol; what it runs fails."""
        if worker.attempt is not None:
            worker.attempt.error = worker.attempt.error or reason
            kill(worker.pid, signal.SIGKILL, group=True)
        elif not worker.is_retiring:
            self.server.report_problem("slot {}: {}; it is started again".format(slot.number, reason))
            self.retire(slot, worker, at_once=True)

    def finish(self, slot: Slot, worker: WarmWorker, attempt: Attempt) -> None:
        """Its chunk is done, and the worker idle."""
        worker.loaded_at = worker.loaded_at or now()
        worker.attempt, worker.last, before = None, attempt, worker.last
        self.reaper.release(attempt)
        self.reaper.tools[worker.pid] = lambda _: self.leader_ended(slot, worker)
        attempt.status, attempt.seconds, attempt.was_running = 0, now() - attempt.began, True
        attempt.phase, attempt.deadline = "ended", None
        pids = process_tree(worker.pid)
        attempt.rss = resident_bytes(pids)
        worker.spent = self.find_excess(worker, attempt, len(pids) - 1)
        changed = self.copies.find_late_write(before) if before else None
        if changed is not None and before is not None:
            attempt.error = worker.spent = LATE_WRITE.format(changed, before.chunk)
        unfinished = find_open_output(pids, attempt)
        if unfinished is not None:
            attempt.error = worker.spent = OPEN_OUTPUT.format(unfinished)
        slot.turn = 1 - slot.turn
        self.finished.append(attempt)
        self.slots.vacate(attempt)

    def find_excess(self, worker: WarmWorker, attempt: Attempt, child_count: int) -> str | None:
        """Why the worker gets no further chunk."""
        limits = worker.limits
        if limits.chunks is not None and worker.chunk_count >= limits.chunks:
            return "it has computed {} chunks".format(worker.chunk_count)
        if limits.seconds is not None and now() - worker.began >= limits.seconds:
            return "it is {:.0f} s old".format(now() - worker.began)
        if limits.memory_bytes is not None and attempt.rss > limits.memory_bytes:
            return "it uses {} bytes".format(attempt.rss)
        orphans = [pid for pid in self.reaper.find_orphans() if self.table.worker_of(pid) == worker.id]
        if worker.child_count is None and not orphans:
            worker.child_count = child_count
        elif orphans or child_count > (worker.child_count or 0):
            self.slots.locks.report_once("chunk {} left processes behind: its worker is started again".format(attempt.chunk))
            return "it left processes behind"
        return None

    def take_finished(self) -> list[Attempt]:
        finished, self.finished = self.finished, []
        return finished

    def attempt_ended(self, attempt: Attempt) -> None:
        """Handles an attempt whose worker ended with it. Its processes are gone."""
        slot = self.slots.by_number[attempt.slot]
        worker = slot.worker
        if worker is None or worker.attempt is not attempt:
            return
        said = worker.read_lines() if worker.answers_reader >= 0 else None
        if attempt.error is None and attempt.was_running and any(is_done(line, attempt) for line in said or []):
            attempt.status = 0  # it ended afterwards
        if worker.loaded_at is None and b"ready" not in (said or []) and attempt.has_succeeded():
            self.cold.add(worker.key)
            name = b" ".join(attempt.program.argv).decode("utf-8", "replace")
            self.slots.locks.report_once(NOT_WARM.format(name))
        self.remove(slot, worker)

    def leader_ended(self, slot: Slot, worker: WarmWorker) -> None:
        """The process of an idle worker has ended."""
        worker.is_retiring = worker.is_gone = True
        worker.kill_at = now()

    def retire(self, slot: Slot, worker: WarmWorker, at_once: bool = False) -> None:
        """Ends an idle worker: by the end of its input, or at once."""
        if not worker.is_retiring:
            worker.is_retiring, worker.kill_at = True, now() + EXIT_SECONDS
            worker.end_input()
        if at_once and not worker.is_gone:
            worker.kill_at = now()
            kill(worker.pid, signal.SIGKILL, group=True)

    def retire_idle(self) -> None:
        """Ends the workers that no chunk waits for."""
        for slot in self.slots.by_number.values():
            if slot.worker is not None and slot.worker.attempt is None and not slot.queue:
                self.retire(slot, slot.worker)

    def remove(self, slot: Slot, worker: WarmWorker) -> None:
        if worker.answers_reader >= 0:
            self.selector.unregister(worker.answers_reader)
        worker.close()
        self.reaper.worker_attempts.pop(worker.id, None)
        self.copies.distrust(slot)
        slot.worker, slot.turn = None, 0
        self.slots.locks.release_if_due(slot)
        self.slots.make_ready(slot)

    def due(self) -> float:
        workers = [slot.worker for slot in self.slots.by_number.values() if slot.worker is not None]
        times = [worker.kill_at for worker in workers if worker.kill_at is not None]
        if any(worker.attempt is None for worker in workers):
            times.append(self.next_log_check)
        return min(times, default=inf)

    def check_log(self, slot: Slot, worker: WarmWorker) -> None:
        """Ends an idle worker that fills the disk: nothing limits its last chunk's log once that is collected."""
        is_collected = worker.last is not None and worker.last.out is None
        if is_collected and logged_bytes(worker.pid) > self.settings.max_log_bytes:
            self.break_off(slot, worker, FLOOD)

    def run_checks(self, time_now: float) -> list[Slot]:
        """Ends workers whose slot is due to another run, or that are spent, and kills those that do not end. Returns the slots whose
        worker is gone."""
        gone: list[Slot] = []
        is_log_check = time_now >= self.next_log_check
        if is_log_check:
            self.next_log_check = time_now + LOG_CHECK_SECONDS
        for slot in self.slots.by_number.values():
            worker = slot.worker
            if worker is None:
                continue
            if worker.attempt is not None:
                if worker.kill_at is not None and time_now >= worker.kill_at:
                    worker.kill_at = None
                    if worker.attempt.phase == "running":
                        self.break_off(slot, worker, MUTE)
                continue
            if is_log_check:
                self.check_log(slot, worker)
            if self.slots.locks.must_leave(slot):
                self.retire(slot, worker, at_once=True)
            elif worker.spent is not None:
                self.retire(slot, worker)
            if worker.kill_at is None or time_now < worker.kill_at:
                continue
            worker.kill_at = time_now + SWEEP_SECONDS
            alive = kill(worker.pid, signal.SIGKILL, group=True) or not worker.is_gone
            rest = [pid for pid in self.reaper.find_orphans() if self.table.worker_of(pid) == worker.id]
            for pid in rest:
                kill(pid, signal.SIGKILL)
            if worker.is_gone and not alive and not rest:
                self.remove(slot, worker)
                gone.append(slot)
        return gone


def is_done(line: bytes, attempt: Attempt) -> bool:
    """Whether the line says that the attempt is done."""
    word, _, folder = line.partition(b" ")
    return word == b"done" and os.path.basename(folder) == attempt.id.encode()
