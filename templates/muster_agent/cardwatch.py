"""Whether a slot's card can have the next chunk: it is there, and what the last one took of its memory is back."""
import os
from math import inf
from time import monotonic as now

from .gauge import Gauge
from .meter import SECONDS, Meter
from .scripts import Scripts
from .vram import FILE, holders_script, lost, taken, taken_script
from .wire import prose

MARGIN = 256  # MiB over what was taken before the first chunk
LOOK = 1.0  # seconds between two looks at a card that has to wait,
RARELY = 10.0  # and once it is told
PATIENCE = 30.0  # seconds until it is told that memory is not back
LASTING = 60.0  # and from then on until nobody should wait for it


class Card:
    """A slot's card. `since`: when it was found not to be fit, or None; `told`: 1 once that was told, 2 once it lasts."""

    def __init__(self, slot, pci, meter):
        self.slot, self.pci, self.meter = slot, pci, meter
        self.baseline = None
        self.looked = -inf  # when the last look began that found it fit
        self.ended, self.chunk = 0.0, None
        self.since, self.reason, self.told = None, "", 0
        self.tell_at = self.next_look = inf


class CardWatch:
    """`unfit`: cards that get no chunk now. The coordinator is told of those that others should not wait for."""

    def __init__(self, selector, cards, slots, calls, link):
        self.cards, self.slots, self.calls, self.link = cards, slots, calls, link
        self.gauge = Gauge(selector, calls.reaper, self.gauged, self.ask_alone)
        self.by_slot = {}
        self.unfit = []
        self.holders = Scripts(calls, 0, self.heard_holders)
        self.in_question = None  # the card whose holders are asked for

    def set_up(self):
        """Takes the cards of the slots, once they are known, and asks once for all of them. Later AMD's are asked for one by one:
        by the gauge while they are fit, and by meters of their own when they are not, so that one that hangs hides no other."""
        slots = [slot for slot in self.slots.by_number.values() if slot.number not in self.by_slot]
        cards = [(slot, self.cards.address(slot.gpu)) for slot in slots]
        scripts = {pci: taken_script(self.cards.vendor, pci) for _, pci in cards if pci and self.is_told(pci)}
        common = Meter(self.calls, "\n".join(sorted(set(scripts.values()))), self.heard)
        for slot, pci in cards:
            own = Meter(self.calls, scripts[pci], self.heard) if pci in scripts and self.cards.vendor == "amd" else None
            if pci:
                self.by_slot[slot.number] = Card(slot, pci, own or (common if pci in scripts else None))
        if scripts:
            common.ask()
        self.tell()

    def is_told(self, pci):
        """Whether anything tells how much of a card's memory is taken: NVIDIA's tool, as far as is known before it is asked."""
        return self.cards.vendor == "nvidia" or os.path.exists(FILE.format(pci))

    def used(self, attempt):
        """It has ended, and its card may be free."""
        card = self.by_slot.get(attempt.slot)
        if card:
            card.ended, card.chunk = now(), attempt.chunk

    def admits(self, slot):
        """Whether its card is fit. A look holds for a while, so that short chunks do not wait for one each."""
        card = self.by_slot.get(slot.number)
        if card is None:
            return True
        if card.since is not None:
            return False
        if not self.cards.is_there(card.pci):
            self.find(card, "not on the PCI bus any more", now())
            return False
        others = slot.lock.away
        if card.meter is None or card.looked > max(others, card.ended) or others < card.looked > now() - card.meter.pause:
            return True
        if self.cards.vendor == "amd":
            self.gauge.ask(card.pci)
        else:
            card.meter.ask()
        return False

    def gauged(self, pci, asked, used):
        for card in self.by_slot.values():
            if card.pci == pci and self.is_free(card, asked):
                self.judge(card, asked, used, None)

    def ask_alone(self, addresses):
        for card in self.by_slot.values():
            if card.pci in addresses:
                card.meter.ask()

    def is_free(self, card, asked):
        """Whether an answer to what was asked then says anything about its fitness."""
        return card.slot.current is None and card.ended <= asked and self.cards.is_there(card.pci)

    def heard(self, meter, asked, answer):
        found = taken(answer["stdout"])
        self.cards.learn(found, lost(answer["stdout"] + answer["stderr"]))
        for card in self.by_slot.values():
            if (card.meter is meter or card.pci in found) and self.is_free(card, asked):
                self.judge(card, asked, found.get(card.pci, (None,))[0], answer.get("error"))

    def judge(self, card, asked, used, error):
        """What its own file does not answer is the card's fault; what a tool does not say of all cards is nobody's."""
        if used is None and error and self.cards.vendor == "amd":
            return self.find(card, "how much of its memory is taken cannot be read: " + error, now())
        if used is not None:
            card.baseline = used if card.baseline is None else min(used, card.baseline)
        if used is None or used <= card.baseline + MARGIN:
            return self.clear(card, asked)
        what = "{:.1f} GiB of GPU memory are still taken {:.0f} s after {}"
        after = "this run came" if card.chunk is None else "chunk {} ended".format(card.chunk)
        since = (card.since or now()) if card.chunk is None else card.ended
        self.find(card, what.format((used - card.baseline) / 1024, PATIENCE, after), since + PATIENCE)

    def find(self, card, reason, tell_at):
        """It is not fit now; that is told at `tell_at`, if it still holds then."""
        if card.since is None:
            card.since, card.next_look = now(), now() + LOOK
            self.unfit.append(card)
        if card.told == 0:
            card.reason, card.tell_at = reason, tell_at

    def clear(self, card, looked):
        card.looked = looked
        if card.since is None:
            return
        self.unfit.remove(card)
        card.since, told, card.told = None, card.told, 0
        if told:
            self.tell()

    def due(self):
        """When `watch` should be called."""
        return min([self.gauge.due(), *(min(card.next_look, card.tell_at) for card in self.unfit)])

    def watch(self, time_now):
        self.gauge.watch(time_now)
        for card in list(self.unfit):
            if time_now >= card.next_look:
                card.next_look = time_now + (RARELY if card.told else LOOK)
                self.look(card)
            if card.since is not None and time_now >= card.tell_at:
                self.tell_of(card)

    def look(self, card):
        if not self.cards.is_there(card.pci):
            return
        if card.meter:
            card.meter.ask()
        else:
            self.clear(card, now())

    def tell_of(self, card):
        card.told += 1
        card.tell_at = now() + LASTING if card.told == 1 else inf
        if card.told > 1 or self.holders.deadline is not None or not self.cards.is_there(card.pci):
            return self.tell()
        self.in_question = card
        self.holders.begin([holders_script(self.cards.vendor, card.pci)], SECONDS)

    def heard_holders(self, answers):
        names = ", ".join(answers[0]["stdout"].split("\n")[:4]).strip(", ")
        if names:
            self.in_question.reason += "; held by " + names
        self.tell()

    def tell(self):
        """Tells all that there is to tell of cards, so that a coordinator that has just come knows as much as one of before."""
        sick = [
            {"slot": card.slot.number, "reason": prose("GPU {}: {}".format(card.pci, card.reason)), "lasting": card.told > 1}
            for card in self.unfit
            if card.told
        ]
        self.link.send({"ev": "cards", "sick": sick})
