"""The GPUs of this node that are of one vendor, by PCI address: once a GPU is lost, the indices of the others shift."""
from __future__ import annotations

import os
from time import monotonic as now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping

BUS = "/sys/bus/pci/devices/"
KFD_NODES = "/sys/class/kfd/kfd/topology/nodes/"
VENDOR_IDS = {"amd": "0x1002", "nvidia": "0x10de"}
BINDING_VARIABLES = {"amd": b"HIP_VISIBLE_DEVICES", "nvidia": b"CUDA_VISIBLE_DEVICES"}
BUS_CACHE_SECONDS = 0.1  # how long a check of the bus is valid: a program takes longer than that to open its GPU


class Cards:
    """`pci`: addresses by index, as they were first seen; the partitions of a card have its address. `others`: further cards that the
    vendor's runtime numbers, such as the graphics of a processor. `uuids`: by address. `lost`: addresses that are on the bus, yet
    cannot be used by programs, according to NVIDIA's tool. `is_bound`: a batch system has bound them, and numbers them in its own way.
    `is_bus_shown`: the kernel shows GPUs of this vendor on the PCI bus; a sandbox such as gVisor shows an empty bus."""

    def __init__(self, vendor: str, is_bound: bool = False):
        self.vendor, self.is_bound = vendor, is_bound
        self.pci: list[str] = []
        self.others: list[str] = []
        self.uuids: dict[str, str] = {}
        self.lost: set[str] = set()
        self.absent: set[str] = set()
        self.is_bus_shown = False
        self.next_check = 0.0

    def set_up(self, addresses: list[str]) -> None:
        """`addresses`: those that the coordinator knows; where it knows none, those on the bus."""
        on_bus = list_bus(self.vendor)
        self.is_bus_shown = self.is_bus_shown or bool(on_bus)
        found = addresses or leave_out_integrated(self.vendor, on_bus)
        if len(found) > len(self.pci):
            self.pci = found
        numbered = list_compute_devices() if self.vendor == "amd" else None
        self.others = [one for one in on_bus if one not in self.pci and (numbered is None or one in numbered)]

    def address(self, gpu: int | None) -> str | None:
        return self.pci[gpu] if gpu is not None and gpu < len(self.pci) else None

    def is_present(self, pci: str) -> bool:
        time_now = now()
        if time_now >= self.next_check:
            self.next_check = time_now + BUS_CACHE_SECONDS
            self.absent = {one for one in self.pci if not os.path.exists(BUS + one)} if self.is_bus_shown else set()
        return pci not in self.absent

    def learn(self, found: Mapping[str, tuple[int, str | None]], lost: set[str]) -> None:
        """Takes in what NVIDIA's tool printed: by address, the GPUs that it shows with their UUIDs, and those that it lost."""
        if self.vendor != "nvidia" or not (found or lost):
            return
        self.lost = lost or set(self.pci) - found.keys()
        self.uuids.update((pci, uuid) for pci, (_, uuid) in found.items() if uuid)

    def binding(self, gpus: list[int]) -> dict[bytes, bytes]:
        """Environment that binds these GPUs although others are lost, or the runtime numbers cards that are no slots. Empty while
        their numbers in the runtime are their indices. NVIDIA's runtime takes no list of both numbers and UUIDs."""
        if self.is_bound:
            return {}
        addresses = [self.address(gpu) for gpu in gpus]
        present = [pci for pci in addresses if pci is not None and self.is_present(pci)]
        if not gpus or len(present) < len(gpus):
            return {}
        numbers = [self.runtime_number(gpu, pci) for gpu, pci in zip(gpus, present)]
        if numbers == gpus and not (self.absent or self.lost):
            return {}
        uuids = [self.uuids.get(pci) for pci in present]
        names = [uuid for uuid in uuids if uuid] if all(uuids) else ["{}".format(number) for number in numbers]
        return {BINDING_VARIABLES[self.vendor]: ",".join(names).encode()}

    def describe(self, gpus: list[int]) -> list[dict[str, int | str]]:
        """Index, PCI address and, where it is known, UUID of each; those whose address is not known are left out."""
        found: list[dict[str, int | str]] = []
        for gpu in gpus:
            pci = self.address(gpu)
            if pci is not None:
                uuid = self.uuids.get(pci)
                found.append({"gpu": gpu, "pci": pci, "uuid": uuid} if uuid else {"gpu": gpu, "pci": pci})
        return found

    def runtime_number(self, gpu: int, pci: str) -> int:
        """The number of a GPU in the vendor's runtime: cards in the order of their addresses, partitions of a card in their own."""
        present = sorted([one for one in self.pci if one not in self.absent] + self.others)
        return present.index(pci) + self.pci[:gpu].count(pci)


def list_bus(vendor: str) -> list[str]:
    """Addresses of the vendor's GPUs, in the order in which its runtime numbers them: display controllers, and processing
    accelerators such as MI300X. Keep in sync with fleet/gpus/pcibus.ts."""
    try:
        found = sorted(os.listdir(BUS))
    except OSError:
        return []
    return [
        one
        for one in found
        if read_attribute(one, "class").startswith(("0x03", "0x12")) and read_attribute(one, "vendor") == VENDOR_IDS[vendor]
    ]


def leave_out_integrated(vendor: str, found: list[str]) -> list[str]:
    """Without the graphics of AMD processors, unless there is nothing else: other functions of their device, such as the
    processor's security processor, have the vendor id of AMD's processors."""
    if vendor != "amd":
        return found
    rest = [one for one in found if not any(read_attribute(one[:-1] + str(n), "vendor") == "0x1022" for n in range(1, 8))]
    return rest or found


def list_compute_devices() -> set[str] | None:
    """Addresses of the GPUs that AMD's runtime numbers. None where the kernel does not list them."""
    try:
        nodes = os.listdir(KFD_NODES)
    except OSError:
        return None
    found: set[str] = set()
    for node in nodes:
        fields = dict(line.split(" ", 1) for line in read_file(KFD_NODES + node + "/properties").splitlines() if " " in line)
        place = fields.get("location_id", "")
        if place.isdigit() and int(place) > 0 and fields.get("simd_count", "0") != "0":
            domain, slot = int(fields.get("domain", "0")), int(place)
            found.add("{:04x}:{:02x}:{:02x}.{:x}".format(domain, slot >> 8 & 255, slot >> 3 & 31, slot & 7))
    return found


def read_attribute(pci: str, name: str) -> str:
    """A value that the kernel caches; this does not access the device."""
    return read_file(BUS + pci + "/" + name)


def read_file(path: str) -> str:
    """The text of a file; empty where it cannot be read."""
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
