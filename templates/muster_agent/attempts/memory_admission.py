"""Whether the node's memory can hold one more chunk, and which chunk must go when it cannot hold those that run."""
from __future__ import annotations

from math import inf
from time import monotonic as now

from ..processes.memory_usage import read_meminfo, read_pressure, tree_resident_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..connection.server import Server
    from .attempt import Attempt
    from .slot import Slot
    from .slots import SlotPool
    from .spec import Spec

LIGHT_BYTES = 64 << 20  # chunks that need less are always admitted
CHECK_SECONDS = 1.0  # between checks of the node, and between two messages about slots that wait
MAX_LOADING_SECONDS = 10.0  # by when a heavy chunk has loaded its data
EVICTION_PAUSE_SECONDS = 5.0  # between two evictions
MAX_MARGIN_BYTES = 256 << 20  # that is never given to chunks
LOW_MEMORY_STALL_PERCENT = 20


class MemoryClass:
    """What chunks of one program use: what the job declares, else a decaying maximum of what they used."""

    __slots__ = ("declared_bytes", "seen_bytes", "seconds")

    def __init__(self) -> None:
        self.declared_bytes: int | None = None
        self.seen_bytes = 0
        self.seconds: float | None = None  # how long the last chunk ran

    @property
    def bytes(self) -> int:
        return self.seen_bytes if self.declared_bytes is None else self.declared_bytes


class MemoryAdmission:
    """Looks at the node only while a chunk runs that is heavy or has run for a second. `waiting`: slots that are held back."""

    def __init__(self, slots: SlotPool, server: Server):
        self.slots, self.server = slots, server
        self.classes: dict[tuple[bytes, ...], MemoryClass] = {}
        self.next_check = self.next_report = self.next_eviction = 0.0
        self.total_bytes: int | None = None
        self.available_bytes: int | None = None
        self.stalled_percent = 0.0  # of the last seconds, in which every process waited for memory
        self.loading: Attempt | None = None  # the heavy attempt that started last
        self.waiting: set[int] = set()
        self.reported: set[int] = set()

    def classify(self, spec: Spec) -> Spec:
        """Gives a spec its memory class, and returns it."""
        spec.memory_class = self.classes.setdefault(tuple(spec.argv), MemoryClass())
        spec.memory_class.declared_bytes = spec.memory_bytes
        return spec

    def admits(self, slot: Slot, attempt: Attempt) -> bool:
        """Whether the attempt may start now. An attempt always may where no other runs."""
        wanted = class_of(attempt)
        if wanted.bytes < LIGHT_BYTES or not self.slots.active or self.has_room(wanted):
            self.waiting.discard(slot.number)
            return True
        self.waiting.add(slot.number)
        return False

    def has_room(self, wanted: MemoryClass) -> bool:
        self.check(now())
        if self.available_bytes is None:
            return True
        others = self.slots.active.values()
        promised_bytes = sum(max(0, class_of(one).bytes - one.resident_bytes) for one in others)
        if self.is_low() or self.available_bytes - self.margin_bytes() - promised_bytes < wanted.bytes:
            return False
        usable_bytes = self.available_bytes + sum(one.resident_bytes for one in others)
        return not self.is_loading() or 2 * wanted.bytes * len(self.slots.by_number) <= usable_bytes

    def is_loading(self) -> bool:
        """Whether the heavy attempt that started last still grows."""
        last = self.loading
        return last is not None and last.id in self.slots.active and last.is_growing and now() < self.loaded_at(last)

    def loaded_at(self, attempt: Attempt) -> float:
        """When the attempt should have loaded its data. Starts are spread over the time of one chunk at most."""
        seconds = class_of(attempt).seconds
        spacing = MAX_LOADING_SECONDS if seconds is None else min(MAX_LOADING_SECONDS, seconds / len(self.slots.by_number))
        return attempt.began + spacing

    def attempt_started(self, attempt: Attempt) -> None:
        if class_of(attempt).bytes >= LIGHT_BYTES:
            self.loading, attempt.is_growing = attempt, True

    def attempt_ended(self, attempt: Attempt) -> None:
        """Learns from what the attempt used."""
        memory_class, used = class_of(attempt), max(attempt.rss, attempt.peak_bytes)
        memory_class.seen_bytes = max(used, memory_class.seen_bytes - memory_class.seen_bytes // 16)
        memory_class.seconds = attempt.seconds

    def due(self) -> float:
        """When to call `run_checks`."""
        active = self.slots.active
        due = max(self.next_check, min(one.began for one in active.values()) + CHECK_SECONDS) if active else inf
        if self.waiting and self.loading and self.is_loading():
            due = min(due, self.loaded_at(self.loading))
        return due if self.waiting == self.reported else min(due, self.next_report)

    def run_checks(self, time_now: float) -> Attempt | None:
        """Looks at the node, and reports which slots wait. Returns the attempt to evict before the kernel kills one, or None. Where
        memory is low, that is one that is being ended already, else the youngest one, if at least two run."""
        self.report(time_now)
        if not self.slots.active:
            return None
        self.check(time_now)
        if time_now < self.next_eviction or not self.is_low():
            return None
        candidates = self.list_active("terminating") or self.list_active("running")[1:]
        if not candidates:
            return None
        self.next_eviction = time_now + EVICTION_PAUSE_SECONDS
        return candidates[-1]

    def list_active(self, phase: str) -> list[Attempt]:
        """The youngest one last."""
        return sorted((one for one in self.slots.active.values() if one.phase == phase), key=lambda one: one.began)

    def check(self, time_now: float) -> None:
        if time_now < self.next_check:
            return
        self.next_check = time_now + CHECK_SECONDS
        self.total_bytes, self.available_bytes = read_meminfo()
        self.stalled_percent = read_pressure()
        for one in self.slots.active.values():
            assert one.pid is not None
            resident_bytes = tree_resident_bytes(one.pid)
            one.is_growing = resident_bytes > one.resident_bytes + one.resident_bytes // 20
            one.resident_bytes, one.peak_bytes = resident_bytes, max(one.peak_bytes, resident_bytes)
            memory_class = class_of(one)
            memory_class.seen_bytes = max(memory_class.seen_bytes, resident_bytes)

    def margin_bytes(self) -> int:
        return min(MAX_MARGIN_BYTES, (self.total_bytes or 0) // 20)

    def is_low(self) -> bool:
        if self.available_bytes is None or self.total_bytes is None:
            return False
        is_stalled = self.stalled_percent >= LOW_MEMORY_STALL_PERCENT
        return self.available_bytes < self.margin_bytes() // 2 or (is_stalled and self.available_bytes < self.total_bytes // 10)

    def report(self, time_now: float) -> None:
        slots = self.slots.by_number
        self.waiting = {number for number in self.waiting if slots[number].queue and slots[number].current is None}
        if self.waiting != self.reported and time_now >= self.next_report:
            self.reported, self.next_report = set(self.waiting), time_now + CHECK_SECONDS
            self.server.send({"ev": "memory", "waiting": sorted(self.reported)})


def class_of(attempt: Attempt) -> MemoryClass:
    memory_class = attempt.program.memory_class
    assert memory_class is not None
    return memory_class
