"""What runs one attempt at a time, and the line of those that may start."""
from collections import deque
from time import monotonic as now

from .gpulock import PAUSE, GpuLock
from .wire import raw_env


class Slot:
    """Runs its attempts in the order they came."""

    def __init__(self, number):
        self.number = number
        self.env = {}
        self.gpu = self.lock = None
        self.queue = deque()
        self.current = None
        self.broken = None
        self.waiting = False  # it stands in the line of slots that may start


class Slots:
    """`active`: id -> attempt that occupies its slot."""

    def __init__(self, selector, settings, boot, link):
        self.selector, self.settings, self.boot, self.link = selector, settings, boot, link
        self.by_number = {}
        self.active = {}
        self.ready = deque()
        self.reported = set()  # what has been said of lock files
        self.examined_at = 0.0  # until then GPUs wait for the coordinator's first look at them

    def set_up(self, setups, examine):
        """Takes the slots of an `open`. `examine`: seconds that the coordinator may take for its first look."""
        if not self.by_number:
            self.examined_at = now() + examine
        for setup in setups:
            slot = self.by_number.setdefault(setup["slot"], Slot(setup["slot"]))
            slot.env, slot.gpu = raw_env(setup["env"]), setup.get("gpu")
            if slot.lock is None and setup.get("lock"):
                slot.lock = GpuLock(self.selector, self.settings, self.boot, setup["lock"], self.report_once)

    def report_once(self, message):
        """What holds for all slots, and again at each try."""
        if message not in self.reported:
            self.reported.add(message)
            self.link.problem(message)

    def announce(self):
        """Tells a new coordinator what it must know of the slots; who is in the way, it is told as if for the first time."""
        for slot in self.by_number.values():
            if slot.broken:
                self.link.send({"ev": "broken", "slot": slot.number, "reason": slot.broken})
            if slot.lock:
                slot.lock.blocked = False

    def refusal(self, number):
        """Why nothing can run on this slot, or None."""
        slot = self.by_number.get(number)
        if slot is None:
            return "this node has no slot {}".format(number)
        return "slot {} is out of use: {}".format(number, slot.broken) if slot.broken else None

    def enqueue(self, attempt):
        slot = self.by_number[attempt.slot]
        slot.queue.append(attempt)
        self.line_up(slot)

    def withdraw(self, attempt):
        self.by_number[attempt.slot].queue.remove(attempt)

    def occupy(self, slot, attempt):
        slot.current = attempt
        self.active[attempt.id] = attempt

    def vacate(self, attempt):
        slot = self.by_number[attempt.slot]
        slot.current = None
        self.active.pop(attempt.id, None)
        self.leave(slot)
        self.line_up(slot)

    def retire(self, attempt, reason):
        """Takes the slot of an attempt that cannot be ended out of use; answers with what was queued there."""
        slot = self.by_number[attempt.slot]
        slot.broken = reason
        self.vacate(attempt)
        self.link.send({"ev": "broken", "slot": slot.number, "reason": reason})
        stranded = list(slot.queue)
        slot.queue.clear()
        return stranded

    def line_up(self, slot):
        """Lets an idle slot with work wait for its turn."""
        if slot.queue and slot.current is None and not slot.waiting:
            slot.waiting = True
            self.ready.append(slot)

    def full(self):
        return self.settings.max is not None and len(self.active) >= self.settings.max

    def all_at_work(self):
        """Whether there is no slot that more news to the coordinator could bring work for."""
        return self.full() or len(self.active) == len(self.by_number)

    def retries(self):
        """When the slots that wait for a GPU should try again."""
        if self.full():
            return []
        return [max(self.examined_at, slot.lock.retry) for slot in self.ready if slot.lock and not slot.lock.held]

    def release_all(self):
        """At the end, so that no lock file is left."""
        for slot in self.by_number.values():
            if slot.lock:
                slot.lock.release()

    def start_ready(self, start, admits, is_fit):
        """Calls start(slot, attempt) for what can start now, as far as admits(slot, attempt), and is_fit(slot) once its GPU is
        ours, say; it occupies the slot, or the next in its queue is tried."""
        for _ in range(len(self.ready)):
            if self.full():
                return
            slot = self.ready.popleft()
            if slot.queue and not slot.broken and not (admits(slot, slot.queue[0]) and self.may_use(slot) and is_fit(slot)):
                self.ready.append(slot)
                continue
            slot.waiting = False
            while slot.queue and slot.current is None and not slot.broken:
                start(slot, slot.queue.popleft())
            if slot.current is None:
                self.leave(slot)

    def may_use(self, slot):
        """Whether the slot's GPU is ours; tells the coordinator when that changes."""
        lock = slot.lock
        if lock is None or lock.held:
            return True
        if now() < max(self.examined_at, lock.retry):
            return False
        if lock.acquire():
            if lock.blocked:
                lock.blocked = False
                self.link.send({"ev": "slot", "slot": slot.number})
            return True
        holder = lock.holder()
        if holder is not None and not lock.blocked:
            lock.blocked = True
            self.link.send(dict(holder, ev="slot", slot=slot.number))
        return False

    def leave(self, slot):
        """The slot has nothing at work: give its GPU away when it has nothing to do, or when others had to wait long."""
        if slot.lock and (not slot.queue or slot.broken):
            slot.lock.release()
        elif slot.lock and slot.lock.turn_over():
            slot.lock.release(PAUSE)
