"""The GPUs of this machine in their vendor's own words, asked apart from what muster asks."""

import glob
import os
import re
from typing import Dict, List, NamedTuple, Optional

from .outcome import Skipped
from .program import Deadline, run_program

TOOL_SECONDS = 20
PATH = os.environ.get("PATH", "") + ":/opt/rocm/bin:/usr/local/bin:/usr/local/nvidia/bin:/usr/sbin:/sbin"
BUS = "/sys/bus/pci/devices/"


class Card(NamedTuple):
    """`number`: in the order of PCI addresses. `uuid`: as the vendor's library gives it; None where only that knows it."""

    number: int
    address: str
    model: str
    total_mib: int
    driver: Optional[str]
    uuid: Optional[str]


class Machine:
    """`vendor`: nvidia or amd. `record`: what tools printed, by command, for the record of the run. `problem`: the last tool that did not
    answer in time."""

    def __init__(self, vendor: str):
        self.vendor = vendor
        self.deadline = Deadline()
        self.record: Dict[str, str] = {}
        self.problem = ""
        self.cards: List[Card] = []

    def read_cards(self) -> None:
        self.cards = read_nvidia_cards(self) if self.vendor == "nvidia" else read_amd_cards(self)

    def tool(self, *words: str) -> str:
        """What a tool prints; "" where it is missing or does not answer. Kept in the record."""
        result = self.ask(*words)
        self.record[" ".join(words)] = result or self.problem
        return result

    def ask(self, *words: str) -> str:
        """As `tool`, but not kept."""
        limit = self.deadline.limit(TOOL_SECONDS)
        result = run_tool(list(words), limit)
        self.problem = "{}: no answer within {:.0f} s".format(words[0], limit) if result is None else ""
        return result or ""

    def used_mib(self, card: Card) -> Optional[int]:
        """None where it cannot be read."""
        if self.vendor == "amd":
            used = read_file(BUS + card.address + "/mem_info_vram_used")
            return int(used) >> 20 if used.isdigit() else None
        for line in self.ask("nvidia-smi", "--query-gpu=pci.bus_id,memory.used", "--format=csv,noheader,nounits").splitlines():
            address, _, used = line.partition(",")
            if to_address(address) == card.address and used.strip().isdigit():
                return int(used)
        return None


def find_machine() -> Machine:
    """The GPUs of this machine. Skipped where it has none that a driver shows, or where the tool that shows them does not answer."""
    problems = []
    for vendor in ("nvidia", "amd"):
        machine = Machine(vendor)
        machine.read_cards()
        if machine.cards:
            return machine
        problems.append(machine.problem)
    raise Skipped(problems[0] or "no GPU of NVIDIA or AMD with a driver")


def read_nvidia_cards(machine: Machine) -> List[Card]:
    """`nvidia-smi -L` has models and UUIDs, and a query of its own the rest."""
    fields = "index,uuid,pci.bus_id,memory.total,driver_version"
    rows = machine.tool("nvidia-smi", "--query-gpu=" + fields, "--format=csv,noheader,nounits").splitlines()
    if not rows:
        return []
    names = re.findall(r"^GPU \d+: (.*) \(UUID: (GPU-[0-9a-f-]+)\)", machine.tool("nvidia-smi", "-L"), re.M)
    models = {uuid: name for name, uuid in names}
    found = [[cell.strip() for cell in row.split(",")] for row in rows if row.count(",") == 4]
    found.sort(key=lambda cells: to_address(cells[2]))
    return [
        Card(index, to_address(bus), models.get(uuid, "?"), int(total) if total.isdigit() else 0, driver, uuid)
        for index, (_, uuid, bus, total, driver) in enumerate(found)
    ]


def read_amd_cards(machine: Machine) -> List[Card]:
    """From the kernel: sysfs has all but the models."""
    driver = read_file("/sys/module/amdgpu/version") or None
    for words in (["rocm-smi", "--showproductname", "--showbus", "--json"], ["amd-smi", "list", "--json"]):
        machine.tool(*words)
    found = []
    for folder in sorted(glob.glob(BUS + "*")):
        total = read_file(folder + "/mem_info_vram_total")
        if read_file(folder + "/vendor") == "0x1002" and total.isdigit() and not is_integrated(folder):
            uuid = read_file(folder + "/unique_id") or None
            found.append(Card(len(found), os.path.basename(folder), "", int(total) >> 20, driver, uuid))
    return found


def is_integrated(folder: str) -> bool:
    """Whether this is the graphics of an AMD processor: other functions of its device have the vendor id of processors."""
    return any(read_file("{}{}/vendor".format(folder[:-1], function)) == "0x1022" for function in range(1, 8))


def to_address(bus: str) -> str:
    """As the kernel writes it: nvidia-smi prints eight digits of domain."""
    return re.sub(r"^0000([0-9a-f]{4}:)", r"\1", bus.strip().lower())


def run_tool(words: List[str], seconds: float = TOOL_SECONDS) -> Optional[str]:
    """stdout of a tool, whatever its exit status; "" where it does not start, None where it does not end in time."""
    try:
        done = run_program(words, seconds, env={"PATH": PATH})
    except OSError:
        return ""
    return None if done.status is None else done.out


def read_file(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""
