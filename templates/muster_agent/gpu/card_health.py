"""Whether a slot's GPU can take the next chunk: it is present, and the memory that the last chunk used is free again."""
from __future__ import annotations

import os
from math import inf
from time import monotonic as now

from ..processes.scripts import ScriptSet
from ..wire import clip
from .vram_query import TIMEOUT_SECONDS, VramQuery
from .vram_scripts import AMD_USED_FILE, holders_script, parse_lost, parse_used, used_script
from .vram_shell import VramShell

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors

    from ..attempts.attempt import Attempt
    from ..attempts.slot import Slot
    from ..attempts.slots import SlotPool
    from ..attempts.warm_worker import WarmWorker
    from ..connection.server import Server
    from ..processes.scripts import ScriptResult, ScriptRunner
    from .card_set import CardSet
    from .cards import Cards

MARGIN_MIB = 256  # over what was used before the first chunk
CHECK_SECONDS = 1.0  # between two checks of an unfit card,
REPORTED_CHECK_SECONDS = 10.0  # and once it is reported
REPORT_AFTER_SECONDS = 30.0  # until memory that is not free again is reported
LASTING_AFTER_SECONDS = 60.0  # from then on, until the report says that it lasts
MAX_NAMED_HOLDERS = 4


class Card:
    """The GPU of some slots, which share it. `cards`: it is one of these. `unfit_since`: None while it is fit. `reports`: 1 once it was
    reported as unfit, 2 once as lasting."""

    def __init__(self, slots: list[Slot], pci: str, cards: Cards, query: VramQuery | None):
        self.slots, self.pci, self.cards, self.query = slots, pci, cards, query
        self.baseline_mib: int | None = None
        self.fit_at = -inf  # when the last check began that found it fit
        self.last_used = 0.0
        self.last_chunk: str | None = None
        self.unfit_since: float | None = None
        self.reason, self.reports = "", 0
        self.report_at = self.next_check = inf

    def is_idle(self) -> bool:
        """Whether no attempt runs on it."""
        return all(slot.current is None for slot in self.slots)

    def workers(self) -> list[WarmWorker]:
        return [slot.worker for slot in self.slots if slot.worker is not None]


def can_measure(cards: Cards, pci: str) -> bool:
    """Whether the used memory of a card can be read. For NVIDIA only the first query shows it."""
    return cards.vendor == "nvidia" or os.path.exists(AMD_USED_FILE.format(pci))


class CardHealth:
    """`unfit`: cards that get no chunk now. The agent reports to the coordinator those that its chunks should not wait for."""

    def __init__(
        self, selector: selectors.BaseSelector, cards: CardSet, slots: SlotPool, runner: ScriptRunner, server: Server
    ):
        self.cards, self.slots, self.runner, self.server = cards, slots, runner, server
        self.shell = VramShell(selector, runner.reaper, self.shell_answered, self.query_separately)
        self.by_slot: dict[int, Card] = {}
        self.unfit: list[Card] = []
        self.holders = ScriptSet(runner, 0, self.holders_found)
        self.holders_of: Card | None = None  # the card whose holders are queried

    def set_up(self) -> None:
        """Takes the cards of the slots, once they are known, and queries all of them once. Later AMD's are queried one by one: by
        the shell while they are fit, by a process each when they are not, so that a hanging driver affects no other card."""
        for vendor, cards in self.cards.by_vendor.items():
            slots = [slot for slot in self.slots.by_number.values() if slot.vendor == vendor and slot.number not in self.by_slot]
            self.take(cards, slots)
        self.report()

    def take(self, cards: Cards, slots: list[Slot]) -> None:
        """Takes slots whose GPUs are among these cards."""
        places = [(slot, cards.address(slot.gpu)) for slot in slots]
        scripts = {pci: used_script(cards.vendor, pci) for _, pci in places if pci and can_measure(cards, pci)}
        common = self.make_query(cards, "\n".join(sorted(set(scripts.values()))))
        for slot, pci in places:
            if pci:
                script = scripts.get(pci)
                own = common if cards.vendor == "nvidia" else self.make_query(cards, script or "")
                known = [self.by_slot[one.number] for one in slot.sharers if one.number in self.by_slot]
                card = known[0] if known else Card(slot.sharers, pci, cards, own if script else None)
                self.by_slot[slot.number] = card
        if scripts:
            common.start()

    def make_query(self, cards: Cards, script: str) -> VramQuery:
        def answered(query: VramQuery, asked_at: float, result: ScriptResult) -> None:
            found = parse_used(result["stdout"])
            cards.learn(found, parse_lost(result["stdout"] + result["stderr"]))
            self.query_answered(query, asked_at, result)

        return VramQuery(self.runner, script, answered)

    def attempt_ended(self, attempt: Attempt) -> None:
        for number in attempt.slots:
            card = self.by_slot.get(number)
            if card:
                card.last_used, card.last_chunk = now(), attempt.chunk

    def worker_ended(self, slot: Slot) -> None:
        """The slot's warm worker is gone: what it used of the card must be free again."""
        card = self.by_slot.get(slot.number)
        if card:
            card.last_used = now()

    def admits(self, slot: Slot) -> bool:
        """Whether the slot's card is fit. A check counts for a while, so that short chunks do not wait for one each. Used memory says
        nothing while another slot uses the card."""
        card = self.by_slot.get(slot.number)
        if card is None:
            return True
        if card.unfit_since is not None:
            return False
        if not card.cards.is_present(card.pci):
            self.mark_unfit(card, "not on the PCI bus any more", now())
            return False
        if card.query is None or slot.is_shared() or self.is_recently_checked(card, card.query):
            return True
        if card.cards.vendor == "amd":
            self.shell.ask(card.pci)
        else:
            card.query.start()
        return False

    def is_recently_checked(self, card: Card, query: VramQuery) -> bool:
        """Whether nobody used the card since its last check, or only this run did, and the check still counts."""
        lock = card.slots[0].lock
        foreign_use = lock.last_foreign_use if lock else 0.0
        return card.fit_at > max(foreign_use, card.last_used) or foreign_use < card.fit_at > now() - query.valid_seconds

    def shell_answered(self, pci: str, asked_at: float, used_mib: int | None) -> None:
        for card in self.list_cards():
            if card.pci == pci and self.is_idle_since(card, asked_at):
                self.judge(card, asked_at, used_mib, None)

    def query_separately(self, addresses: list[str]) -> None:
        for card in self.list_cards():
            if card.pci in addresses and card.query:
                card.query.start()

    def list_cards(self) -> list[Card]:
        """Each card once."""
        return list({id(card): card for card in self.by_slot.values()}.values())

    def is_idle_since(self, card: Card, asked_at: float) -> bool:
        """Whether the answer to a question of that time says anything about a card's fitness."""
        return card.is_idle() and card.last_used <= asked_at and card.cards.is_present(card.pci)

    def query_answered(self, query: VramQuery, asked_at: float, result: ScriptResult) -> None:
        found = parse_used(result["stdout"])
        for card in self.list_cards():
            if (card.query is query or card.pci in found) and self.is_idle_since(card, asked_at):
                used_mib = found[card.pci][0] if card.pci in found else None
                self.judge(card, asked_at, used_mib, result.get("error"))

    def judge(self, card: Card, asked_at: float, used_mib: int | None, error: str | None) -> None:
        """Decides whether a card is fit. Where the file of an AMD card cannot be read, the card is to blame; where NVIDIA's tool,
        which queries all cards, does not answer, none is."""
        if used_mib is None and error and card.cards.vendor == "amd":
            return self.mark_unfit(card, "its used memory cannot be read: " + error, now())
        workers = card.workers()
        if workers:
            return self.judge_workers(card, workers, asked_at, used_mib)
        if used_mib is not None:
            card.baseline_mib = used_mib if card.baseline_mib is None else min(used_mib, card.baseline_mib)
        if used_mib is None or card.baseline_mib is None or used_mib <= card.baseline_mib + MARGIN_MIB:
            return self.mark_fit(card, asked_at)
        text = "{:.1f} GiB of GPU memory are still in use {:.0f} s after {}"
        event = "this run came" if card.last_chunk is None else "chunk {} ended".format(card.last_chunk)
        since = (card.unfit_since or now()) if card.last_chunk is None else card.last_used
        reason = text.format((used_mib - card.baseline_mib) / 1024, REPORT_AFTER_SECONDS, event)
        self.mark_unfit(card, reason, since + REPORT_AFTER_SECONDS)

    def judge_workers(self, card: Card, workers: list[WarmWorker], asked_at: float, used_mib: int | None) -> None:
        """A warm worker keeps GPU memory. One that uses more than after its first chunk gets no further one; of several, nobody knows
        which one does."""
        if used_mib is not None and len(workers) == 1:
            worker = workers[0]
            if worker.vram_mib is None:
                worker.vram_mib = used_mib
            elif used_mib > worker.vram_mib + MARGIN_MIB:
                worker.spent = "it uses {} MiB more GPU memory than after its first chunk".format(used_mib - worker.vram_mib)
        self.mark_fit(card, asked_at)

    def mark_unfit(self, card: Card, reason: str, report_at: float) -> None:
        """`report_at`: when to report it, if it is still unfit then."""
        if card.unfit_since is None:
            card.unfit_since, card.next_check = now(), now() + CHECK_SECONDS
            self.unfit.append(card)
        if card.reports == 0:
            card.reason, card.report_at = reason, report_at

    def mark_fit(self, card: Card, checked_at: float) -> None:
        card.fit_at = checked_at
        if card.unfit_since is None:
            return
        self.unfit.remove(card)
        card.unfit_since, reports, card.reports = None, card.reports, 0
        if reports:
            self.report()

    def due(self) -> float:
        """When to call `run_checks`."""
        return min([self.shell.due(), *(min(card.next_check, card.report_at) for card in self.unfit)])

    def run_checks(self, time_now: float) -> None:
        self.shell.check_deadline(time_now)
        for card in list(self.unfit):
            if time_now >= card.next_check:
                card.next_check = time_now + (REPORTED_CHECK_SECONDS if card.reports else CHECK_SECONDS)
                self.check(card)
            if card.unfit_since is not None and time_now >= card.report_at:
                self.report_card(card)

    def check(self, card: Card) -> None:
        if not card.cards.is_present(card.pci):
            return
        if card.query:
            card.query.start()
        else:
            self.mark_fit(card, now())

    def report_card(self, card: Card) -> None:
        """Reports an unfit card: the first time with the processes that hold its memory, the second time as lasting."""
        card.reports += 1
        card.report_at = now() + LASTING_AFTER_SECONDS if card.reports == 1 else inf
        if card.reports > 1 or self.holders.deadline is not None or not card.cards.is_present(card.pci):
            return self.report()
        self.holders_of = card
        self.holders.start([holders_script(card.cards.vendor, card.pci)], TIMEOUT_SECONDS)

    def holders_found(self, results: list[ScriptResult]) -> None:
        names = ", ".join(results[0]["stdout"].split("\n")[:MAX_NAMED_HOLDERS]).strip(", ")
        if names and self.holders_of:
            self.holders_of.reason += "; held by " + names
        self.report()

    def report(self) -> None:
        """Sends all unfit cards that are to be reported, so that each message is complete, also for a new coordinator."""
        sick = [
            {"slot": slot.number, "reason": clip("GPU {}: {}".format(card.pci, card.reason)), "lasting": card.reports > 1}
            for card in self.unfit
            if card.reports
            for slot in card.slots
        ]
        self.server.send({"ev": "cards", "sick": sick})
