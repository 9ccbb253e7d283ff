"""The GPUs of this node, of one vendor or of several."""
from __future__ import annotations

from .cards import BINDING_VARIABLES, Cards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..attempts.slot import Slot
    from ..wire import Message


class CardSet:
    """Each vendor's GPUs have indices of their own."""

    def __init__(self) -> None:
        self.by_vendor: dict[str, Cards] = {}

    def set_up(self, known: list[Message]) -> None:
        """`known`: what `open` says of the cards of each vendor."""
        for one in known:
            self.by_vendor.setdefault(one["vendor"], Cards(one["vendor"], one.get("bound", False))).set_up(one["pci"])

    def add_unknown(self, known: list[Message]) -> bool:
        """Takes the cards of vendors of which none is known yet: this node's bus does not show them. Whether there were any."""
        unknown = [one for one in known if one["pci"] and one["vendor"] in self.by_vendor and not self.by_vendor[one["vendor"]].pci]
        self.set_up(unknown)
        return bool(unknown)

    def of(self, slot: Slot) -> Cards | None:
        """The cards among which the slot's GPU is; None for a CPU slot."""
        return None if slot.gpu is None or slot.vendor is None else self.by_vendor.get(slot.vendor)

    def binding(self, slots: list[Slot]) -> dict[bytes, bytes]:
        """Environment that binds the GPUs of these slots, which are of one kind, where it differs from what the slots say."""
        cards = self.of(slots[0])
        return cards.binding(list_gpus(slots)) if cards else {}

    def describe(self, slots: list[Slot]) -> list[Message]:
        """As `done` describes the GPUs of these slots."""
        cards = self.of(slots[0])
        return [dict(one) for one in cards.describe(list_gpus(slots))] if cards else []


def list_gpus(slots: list[Slot]) -> list[int]:
    """The indices of the GPUs of these slots; empty for CPU slots."""
    return [slot.gpu for slot in slots if slot.gpu is not None]


def join_bindings(slots: list[Slot]) -> dict[bytes, bytes]:
    """Environment that binds the GPUs of all of these slots, which are of one kind."""
    name = BINDING_VARIABLES.get(slots[0].vendor or "", b"")
    return {name: b",".join(slot.env[name] for slot in slots)} if name in slots[0].env else {}
