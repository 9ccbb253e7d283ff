"""Whether the node's memory can hold one more chunk, and which one must go when it cannot hold those that run."""
from math import inf
from time import monotonic as now

from .usage import held_by, meminfo, pressure

LIGHT = 64 << 20  # chunks below this are never held back
LOOK = 1.0  # seconds between two looks at the node, and between two words about those that wait
LOADING = 10.0  # seconds in which a heavy chunk has its data at the latest
CALM = 5.0  # seconds between two chunks that have to go


class Kind:
    """What chunks of one program use: as the job promised, or the most that was seen of late."""

    __slots__ = ("promised", "seen", "seconds")

    def __init__(self):
        self.promised, self.seen, self.seconds = None, 0, None

    @property
    def bytes(self):
        return self.seen if self.promised is None else self.promised


class Memory:
    """Looks at the node only while a chunk runs that is heavy or has run for a second. `waiting`: slots that are held back."""

    def __init__(self, slots, link):
        self.slots, self.link = slots, link
        self.kinds = {}
        self.next_look = self.next_word = self.spared = 0.0
        self.total = self.available = None
        self.stalled = 0.0  # percent of the last seconds in which nothing got on for want of memory
        self.loading = None  # the heavy attempt that started last
        self.waiting, self.told = set(), set()

    def sort(self, spec):
        """Puts a spec with its kind."""
        spec.kind = self.kinds.setdefault(tuple(spec.argv), Kind())
        spec.kind.promised = spec.memory
        return spec

    def admits(self, slot, attempt):
        """Whether it may start now. One at a time always may."""
        kind = attempt.spec.kind
        if kind.bytes < LIGHT or not self.slots.active or self.has_room(kind):
            self.waiting.discard(slot.number)
            return True
        self.waiting.add(slot.number)
        return False

    def has_room(self, kind):
        self.look(now())
        if self.available is None:
            return True
        others = self.slots.active.values()
        spoken_for = sum(max(0, one.spec.kind.bytes - one.held) for one in others)
        if self.is_short() or self.available - self.margin() - spoken_for < kind.bytes:
            return False
        in_all = self.available + sum(one.held for one in others)
        return not self.is_loading() or 2 * kind.bytes * len(self.slots.by_number) <= in_all

    def is_loading(self):
        """Whether the heavy chunk that started last is still getting bigger."""
        last = self.loading
        return last is not None and last.id in self.slots.active and last.grows and now() < self.loaded(last)

    def loaded(self, attempt):
        """When it should have its data. Starts are spread over the time of a chunk, and no further apart than that."""
        seconds = attempt.spec.kind.seconds
        apart = LOADING if seconds is None else min(LOADING, seconds / len(self.slots.by_number))
        return attempt.began + apart

    def started(self, attempt):
        if attempt.spec.kind.bytes >= LIGHT:
            self.loading, attempt.grows = attempt, True

    def learn(self, attempt):
        """Takes in what an attempt that has ended used."""
        kind, used = attempt.spec.kind, max(attempt.rss, attempt.peak)
        kind.seen = max(used, kind.seen - kind.seen // 16)
        kind.seconds = attempt.seconds

    def due(self):
        """When `watch` should be called."""
        active = self.slots.active
        look = max(self.next_look, min(one.began for one in active.values()) + LOOK) if active else inf
        if self.waiting and self.is_loading():
            look = min(look, self.loaded(self.loading))
        return look if self.waiting == self.told else min(look, self.next_word)

    def watch(self, time_now):
        """Looks, and tells who waits. Answers with the attempt that must go before the kernel takes one, or None."""
        self.tell(time_now)
        if not self.slots.active:
            return None
        self.look(time_now)
        running = [one for one in self.slots.active.values() if one.phase == "running"]
        if len(running) < 2 or time_now < self.spared or not self.is_short():
            return None
        self.spared = time_now + CALM
        return max(running, key=lambda one: one.began)

    def look(self, time_now):
        if time_now < self.next_look:
            return
        self.next_look = time_now + LOOK
        self.total, self.available = meminfo()
        self.stalled = pressure()
        for one in self.slots.active.values():
            held = held_by(one.pid)
            one.grows = held > one.held + one.held // 20
            one.held, one.peak = held, max(one.peak, held)
            one.spec.kind.seen = max(one.spec.kind.seen, held)

    def margin(self):
        return min(256 << 20, self.total // 20)

    def is_short(self):
        if self.available is None:
            return False
        return self.available < self.margin() // 2 or (self.stalled >= 20 and self.available < self.total // 10)

    def tell(self, time_now):
        slots = self.slots.by_number
        self.waiting = {number for number in self.waiting if slots[number].queue and slots[number].current is None}
        if self.waiting != self.told and time_now >= self.next_word:
            self.told, self.next_word = set(self.waiting), time_now + LOOK
            self.link.send({"ev": "memory", "waiting": sorted(self.told)})
