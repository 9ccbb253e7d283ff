"""What an attempt used of a card: running sums over samples, so that its memory does not grow with the time that it runs."""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..wire import Message
    from .card_figures import Figures

FIGURES = ("busy", "used", "watts", "celsius", "junctionCelsius", "memoryCelsius", "mhz", "memoryMhz", "fan")
MAX_GAP_INTERVALS = 3  # a longer time without a sample is not covered: the driver hung, or the tool did
JOULES_PER_WATT_HOUR = 3600


class CardUsage:
    """Means are weighted with time: between two samples by the trapezoidal rule, before the first and after the last one by that
    sample. So is the energy, from the power that the driver reports: an estimate, since cards measure their power only a part of the
    time (Yang, Adamek and Armour: Part-time Power Measurements: nvidia-smi's Lack of Attention, SC 2024). `began`: when the attempt
    did. `interval`: between two samples. `idle_after`: how long a card must compute nothing, in each sample, to count as idle. All of
    them, and `at` below, are seconds."""

    __slots__ = (
        "began", "max_gap", "idle_after", "last_at", "last", "last_share", "count", "covered", "shared", "joules", "sums", "throttled",
        "idle_since", "idle_seconds", "is_idle_reported",
    )  # fmt: skip

    def __init__(self, began: float, interval: float, idle_after: float):
        self.began, self.max_gap, self.idle_after = began, MAX_GAP_INTERVALS * interval, idle_after
        self.last_at = began
        self.last: Figures | None = None
        self.last_share = 1.0
        self.count = 0
        self.covered = 0.0
        self.shared = 0.0  # the same, weighted with the attempt's share of the card
        self.joules: float | None = None
        self.sums: dict[str, list[float]] = {}  # by figure: value times seconds, seconds, and the largest value
        self.throttled: dict[str, float] | None = None  # seconds by reason; None where the card gives none
        self.idle_since: float | None = None
        self.idle_seconds = 0.0
        self.is_idle_reported = False

    def add(self, at: float, figures: Figures, share: float) -> None:
        """`share`: the attempt's part of the card's power, 0 to 1, where several chunks run on the card."""
        if self.last is None:
            self.cover(min(at - self.began, self.max_gap), figures, figures, share, share)
        elif at - self.last_at <= self.max_gap:
            self.cover(at - self.last_at, self.last, figures, self.last_share, share)
        self.last_at, self.last, self.last_share = at, figures, share
        self.count += 1
        for name in FIGURES:
            value = number_of(figures, name)
            if value is not None:
                sums = self.sums.setdefault(name, [0.0, 0.0, value])
                sums[2] = max(sums[2], value)
        self.follow_idleness(at, figures)

    def cover(self, seconds: float, first: Figures, second: Figures, first_share: float, second_share: float) -> None:
        """Adds the time between two samples. What throttled the card at its end did so all along."""
        self.covered += seconds
        self.shared += (first_share + second_share) / 2 * seconds
        for name in FIGURES:
            one, other = number_of(first, name), number_of(second, name)
            if one is not None and other is not None:
                sums = self.sums.setdefault(name, [0.0, 0.0, max(one, other)])
                sums[0] += (one + other) / 2 * seconds
                sums[1] += seconds
                if name == "watts":
                    self.joules = (self.joules or 0.0) + (one * first_share + other * second_share) / 2 * seconds
        reasons = second.get("throttled")
        if isinstance(reasons, list):
            self.throttled = self.throttled or {}
            for reason in reasons:
                self.throttled[reason] = self.throttled.get(reason, 0.0) + seconds

    def follow_idleness(self, at: float, figures: Figures) -> None:
        busy = number_of(figures, "busy")
        if busy == 0:
            self.idle_since = at if self.idle_since is None else self.idle_since
        else:
            self.end_idleness(at)

    def end_idleness(self, at: float) -> None:
        if self.idle_since is not None and at - self.idle_since >= self.idle_after:
            self.idle_seconds += at - self.idle_since
        self.idle_since, self.is_idle_reported = None, False

    def find_idleness(self) -> Message | None:
        """Since when, counted from the attempt's start, and for how long the card has been idle, once it is so for long enough."""
        if self.idle_since is None or self.last_at - self.idle_since < self.idle_after:
            return None
        return {"at": round(self.idle_since - self.began, 1), "seconds": round(self.last_at - self.idle_since, 1)}

    def describe(self, ended: float) -> Message:
        """The figures of an attempt that has ended, as `done` has them. To be called once."""
        if self.last is not None:
            self.cover(max(0.0, min(ended - self.last_at, self.max_gap)), self.last, self.last, self.last_share, self.last_share)
        self.end_idleness(max(ended, self.last_at))
        message: Message = {"samples": self.count, "seconds": round(self.covered, 1)}
        if self.shared < self.covered:
            message["share"] = round(self.shared / self.covered, 3)
        if self.joules is not None:
            message["wattHours"] = round(self.joules / JOULES_PER_WATT_HOUR, 6)
        for name, (product, seconds, most) in self.sums.items():
            message[name] = {"mean": round(min(product / seconds, most) if seconds > 0 else most, 1), "max": round(most, 1)}
        if self.throttled is not None:
            message["throttled"] = {reason: round(seconds, 1) for reason, seconds in self.throttled.items()}
        if self.idle_seconds > 0:
            message["idleSeconds"] = round(self.idle_seconds, 1)
        return message


def number_of(figures: Figures, name: str) -> float | None:
    value: Any = figures.get(name)
    return value
