"""The GPUs of this node. A card is its PCI address: once a card is lost, the indices of others mean their neighbours."""
import os
from time import monotonic as now

BUS = "/sys/bus/pci/devices/"
VENDORS = {"amd": "0x1002", "nvidia": "0x10de"}
BINDINGS = {"amd": b"HIP_VISIBLE_DEVICES", "nvidia": b"CUDA_VISIBLE_DEVICES"}
FRESH = 0.1  # seconds that a look at the bus holds: a program takes longer than that to open its card


class Cards:
    """`pci`: addresses by index, as they were first seen. `uuids` by address, and the `lost` that are on the bus and yet not
    there for programs: as far as a tool tells."""

    def __init__(self):
        self.vendor, self.pci = None, []
        self.uuids, self.lost = {}, set()
        self.absent, self.next_look = set(), 0.0

    def set_up(self, vendor, named):
        """`named`: addresses that the coordinator knows; where it knows none, those on the bus."""
        self.vendor = vendor
        seen = named or on_bus(vendor)
        if len(seen) > len(self.pci):
            self.pci = seen

    def address(self, gpu):
        return self.pci[gpu] if gpu is not None and gpu < len(self.pci) else None

    def is_there(self, pci):
        time_now = now()
        if time_now >= self.next_look:
            self.next_look = time_now + FRESH
            self.absent = {one for one in self.pci if not os.path.exists(BUS + one)}
        return pci not in self.absent

    def learn(self, found, lost):
        """`found`: what NVIDIA's tool told of the cards that it shows, by address."""
        if self.vendor != "nvidia" or not (found or lost):
            return
        self.lost = lost or set(self.pci) - found.keys()
        self.uuids.update((pci, uuid) for pci, (_, uuid) in found.items() if uuid)

    def binding(self, gpu):
        """Environment that still binds this card while others are lost; empty while all are there, and its index holds."""
        pci = self.address(gpu)
        if pci is None or not self.is_there(pci) or not (self.absent or self.lost):
            return {}
        there = sorted(one for one in self.pci if one not in self.absent)
        name = self.uuids.get(pci) or "{}".format(there.index(pci))
        return {BINDINGS[self.vendor]: name.encode()}


def on_bus(vendor):
    """Addresses of the vendor's display devices, in the order in which its runtime counts them."""
    try:
        found = sorted(os.listdir(BUS))
    except OSError:
        return []
    return [one for one in found if read(one, "class").startswith("0x03") and read(one, "vendor") == VENDORS[vendor]]


def read(pci, name):
    """What the kernel remembers of a device; it does not ask the device."""
    try:
        with open(BUS + pci + "/" + name) as file:
            return file.read().strip()
    except OSError:
        return ""
