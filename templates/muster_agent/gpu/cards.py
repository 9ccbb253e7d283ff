"""The GPUs of this node, by PCI address: once a GPU is lost, the indices of the others shift."""
from __future__ import annotations

import os
from time import monotonic as now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping

BUS = "/sys/bus/pci/devices/"
VENDOR_IDS = {"amd": "0x1002", "nvidia": "0x10de"}
BINDING_VARIABLES = {"amd": b"HIP_VISIBLE_DEVICES", "nvidia": b"CUDA_VISIBLE_DEVICES"}
BUS_CACHE_SECONDS = 0.1  # how long a look at the bus counts: a program takes longer than that to open its GPU


class Cards:
    """`pci`: addresses by index, as they were first seen. `uuids`: by address. `lost`: addresses that are on the bus, yet cannot
    be used by programs, according to NVIDIA's tool."""

    def __init__(self) -> None:
        self.vendor = ""
        self.pci: list[str] = []
        self.uuids: dict[str, str] = {}
        self.lost: set[str] = set()
        self.absent: set[str] = set()
        self.next_check = 0.0

    def set_up(self, vendor: str, addresses: list[str]) -> None:
        """`addresses`: those that the coordinator knows; where it knows none, those on the bus."""
        self.vendor = vendor
        found = addresses or list_bus(vendor)
        if len(found) > len(self.pci):
            self.pci = found

    def address(self, gpu: int | None) -> str | None:
        return self.pci[gpu] if gpu is not None and gpu < len(self.pci) else None

    def is_present(self, pci: str) -> bool:
        time_now = now()
        if time_now >= self.next_check:
            self.next_check = time_now + BUS_CACHE_SECONDS
            self.absent = {one for one in self.pci if not os.path.exists(BUS + one)}
        return pci not in self.absent

    def learn(self, found: Mapping[str, tuple[int, str | None]], lost: set[str]) -> None:
        """Takes in what NVIDIA's tool printed: by address, the GPUs that it shows with their UUIDs, and those that it lost."""
        if self.vendor != "nvidia" or not (found or lost):
            return
        self.lost = lost or set(self.pci) - found.keys()
        self.uuids.update((pci, uuid) for pci, (_, uuid) in found.items() if uuid)

    def binding(self, gpu: int | None) -> dict[bytes, bytes]:
        """Environment that binds this GPU although others are lost. Empty while none is: then its index is still right."""
        pci = self.address(gpu)
        if pci is None or not self.is_present(pci) or not (self.absent or self.lost):
            return {}
        present = sorted(one for one in self.pci if one not in self.absent)
        name = self.uuids.get(pci) or "{}".format(present.index(pci))
        return {BINDING_VARIABLES[self.vendor]: name.encode()}


def list_bus(vendor: str) -> list[str]:
    """Addresses of the vendor's display devices, in the order in which its runtime numbers them."""
    try:
        found = sorted(os.listdir(BUS))
    except OSError:
        return []
    return [
        one
        for one in found
        if read_attribute(one, "class").startswith("0x03") and read_attribute(one, "vendor") == VENDOR_IDS[vendor]
    ]


def read_attribute(pci: str, name: str) -> str:
    """A value that the kernel caches; this does not access the device."""
    try:
        with open(BUS + pci + "/" + name) as file:
            return file.read().strip()
    except OSError:
        return ""
