"""Looks at the GPUs that running attempts use, every few seconds, and adds up what each attempt uses of them."""
from __future__ import annotations

from math import inf
from time import monotonic as now

from ..processes.worker_thread import WorkerThread
from .card_figures import read_amd_figures
from .card_usage import CardUsage
from .nvidia_watch import NvidiaWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors
    from typing import Callable

    from ..attempts.attempt import Attempt
    from ..attempts.slots import SlotPool
    from ..connection.server import Server
    from ..processes.reap import Reaper
    from ..settings import Settings
    from .card_figures import Figures

FIRST_LOOK_SECONDS = 2.0  # after the first attempt began: while all attempts are shorter, nothing is started and nothing is read
LINGER_SECONDS = 10.0  # for which NVIDIA's tool stays without an attempt: the next one may be about to start
ALIVE_PHASES = ("running", "terminating", "killed")
NO_SAMPLES = "no samples of its NVIDIA GPUs: {}"


class AmdReader:
    """Reads one card in a thread of its own: a card whose driver hangs keeps no other from being read."""

    def __init__(self, wake: Callable[[], None]):
        self.thread = WorkerThread(wake)
        self.is_reading = False

    def read(self, pci: str, report: Callable[[str, Figures], object]) -> None:
        """Does nothing while an earlier look has not ended."""

        def answered(figures: Figures | OSError) -> None:
            self.is_reading = False
            if not isinstance(figures, OSError):
                report(pci, figures)

        if not self.is_reading:
            self.is_reading = True
            self.thread.submit(lambda: read_amd_figures(pci), answered)


class Sampler:
    """Runs while attempts run on GPUs, and where the coordinator's `open` says how often."""

    def __init__(
        self, selector: selectors.BaseSelector, settings: Settings, slots: SlotPool, reaper: Reaper, server: Server,
        wake: Callable[[], None],
    ):  # fmt: skip
        self.settings, self.slots, self.server, self.wake = settings, slots, server, wake
        self.readers: dict[str, AmdReader] = {}
        self.nvidia = NvidiaWatch(selector, reaper, self.record)
        self.reported_problem: str | None = None
        self.nvidia_used_at = -inf
        self.next_look = inf

    def due(self) -> float:
        return self.next_look

    def settings_changed(self) -> None:
        """Looks at once where attempts run: the coordinator that started them may have wanted no samples."""
        self.next_look = now()

    def attempt_started(self, attempt: Attempt) -> None:
        interval = self.settings.sample_seconds
        if attempt.cards and interval is not None:
            self.next_look = min(self.next_look, attempt.began + min(FIRST_LOOK_SECONDS, interval))

    def run_checks(self, time_now: float) -> None:
        for reader in self.readers.values():
            reader.thread.run_callbacks()
        if time_now >= self.next_look:
            self.look(time_now)

    def look(self, time_now: float) -> None:
        interval = self.settings.sample_seconds
        used = {} if interval is None else self.find_used_cards()
        if interval is not None and "nvidia" in used.values():
            self.nvidia_used_at = time_now
            self.nvidia.start(interval)
            self.report_problem()
        elif interval is None or time_now - self.nvidia_used_at >= LINGER_SECONDS:
            self.nvidia.stop()
        for pci in [pci for pci, vendor in used.items() if vendor == "amd"]:
            self.readers.setdefault(pci, AmdReader(self.wake)).read(pci, self.record)
        is_over = interval is None or not (used or self.nvidia.is_running)
        self.next_look = inf if is_over else time_now + (interval or 0.0)

    def find_used_cards(self) -> dict[str, str | None]:
        """The vendors of the cards that running attempts use, by address."""
        used: dict[str, str | None] = {}
        for attempt in self.slots.active.values():
            vendor = self.slots.by_number[attempt.slot].vendor
            used.update((card["pci"], vendor) for card in attempt.cards)
        return used

    def report_problem(self) -> None:
        if self.nvidia.problem is not None and self.nvidia.problem != self.reported_problem:
            self.reported_problem = self.nvidia.problem
            self.server.report_problem(NO_SAMPLES.format(self.nvidia.problem))

    def record(self, pci: str, figures: Figures) -> None:
        """Adds a sample to the running attempts that use the card. They share its power by the number of its slots that each has."""
        interval = self.settings.sample_seconds
        if interval is None:
            return
        time_now = now()
        users = [(one, sum(card["pci"] == pci for card in one.cards)) for one in self.slots.active.values()]
        users = [(attempt, count) for attempt, count in users if count and attempt.phase in ALIVE_PHASES]
        slot_count = sum(count for _, count in users)
        if "asleep" in figures:
            figures = {"busy": 0}
        for attempt, count in users:
            usage = attempt.usage.get(pci)
            if usage is None:
                usage = attempt.usage[pci] = CardUsage(attempt.began, interval, self.settings.idle_after_seconds)
            usage.add(time_now, figures, count / slot_count)
            self.report_idleness(attempt, pci, usage)

    def report_idleness(self, attempt: Attempt, pci: str, usage: CardUsage) -> None:
        """Tells the coordinator of a card that computes nothing while its attempt goes on, once each time."""
        idleness = None if usage.is_idle_reported else usage.find_idleness()
        if idleness is not None and self.server.attached:
            usage.is_idle_reported = True
            self.server.send({"ev": "idle", "id": attempt.id, "pci": pci, **idleness})

    def forget_reported(self) -> None:
        """Has what is idle reported again, to a coordinator that has just attached."""
        for attempt in self.slots.active.values():
            for pci, usage in attempt.usage.items():
                usage.is_idle_reported = False
                self.report_idleness(attempt, pci, usage)
