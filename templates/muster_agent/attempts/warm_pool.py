"""The warm workers of all slots: gives them chunks, takes their answers, and ends those that must not go on."""
from __future__ import annotations

import os
import signal
from math import inf
from time import monotonic as now

from ..processes.memory_usage import process_tree, resident_bytes
from ..processes.process_table import kill

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
NOT_WARM = "`{}` ended without asking for its chunk, so it is started for each chunk: loop over muster.chunks(), or leave out `worker: warm`"
LATE_WRITE = "its worker wrote {} into the folder of chunk {}, which had ended"
NO_ANSWER = "its worker wrote {!r} to descriptor 4, where muster expects only `ready` and `done FOLDER`"
TWICE = "its worker said again that a chunk was done that had ended"


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

    def is_warm(self, attempt: Attempt) -> bool:
        return attempt.program.warm is not None and attempt.program.worker_key not in self.cold

    def admits(self, slot: Slot, attempt: Attempt) -> bool:
        """Whether the slot's worker can take the attempt, or there is none. One that cannot is ended first."""
        worker = slot.worker
        if worker is None:
            return True
        if not worker.is_retiring and worker.spent is None and worker.key == attempt.program.worker_key:
            return True
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
        for line in lines or []:
            self.handle(slot, worker, line)

    def handle(self, slot: Slot, worker: WarmWorker, line: bytes) -> None:
        attempt = worker.attempt
        word, _, folder = line.partition(b" ")
        if word == b"ready" and worker.loaded_at is None:
            worker.loaded_at = now()
            if attempt is not None:
                attempt.loading = worker.loaded_at - attempt.began
        elif word != b"done":
            self.break_off(slot, worker, NO_ANSWER.format(line[:100].decode("utf-8", "replace")))
        elif attempt is None or os.path.basename(folder) != attempt.id.encode():
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
        if attempt.error is None and attempt.was_running and b"done" in [line.split(b" ")[0] for line in said or []]:
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

    def remove(self, slot: Slot, worker: WarmWorker) -> None:
        if worker.answers_reader >= 0:
            self.selector.unregister(worker.answers_reader)
        worker.close()
        self.reaper.worker_attempts.pop(worker.id, None)
        slot.worker, slot.turn = None, 0
        self.slots.locks.release_if_due(slot)
        self.slots.make_ready(slot)

    def due(self) -> float:
        times = [worker.kill_at for worker in self.retiring() if worker.kill_at is not None]
        return min(times, default=inf)

    def retiring(self) -> list[WarmWorker]:
        workers = [slot.worker for slot in self.slots.by_number.values()]
        return [worker for worker in workers if worker is not None and worker.is_retiring]

    def run_checks(self, time_now: float) -> list[Slot]:
        """Ends workers whose slot is due to another run, or that are spent, and kills those that do not end. Returns the slots whose
        worker is gone."""
        gone: list[Slot] = []
        for slot in self.slots.by_number.values():
            worker = slot.worker
            if worker is None or worker.attempt is not None:
                continue
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
