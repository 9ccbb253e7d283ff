"""What muster knows of the GPUs, beside what their vendor says of them."""

import json
from typing import Any, Dict, List

from .machine import Card
from .outcome import Skipped, expect
from .suite import Suite

MIN_VRAM_SHARE = 0.85  # the driver keeps a part, and tools differ in whether they count it

RAW = {
    "nvidia": [
        "nvidia-smi --query-gpu=name,pci.bus_id,memory.total,driver_version --format=csv,noheader,nounits",
        "nvidia-smi --query-gpu=pci.bus_id,driver_version,clocks.sm,clocks.mem,pstate,ecc.errors.uncorrected.volatile.total"
        " --format=csv,noheader,nounits",
        "nvidia-smi --query-gpu=pci.bus_id,memory.used,uuid --format=csv,noheader,nounits",
        "nvidia-smi --query-compute-apps=gpu_bus_id,pid --format=csv,noheader",
    ],
    "amd": [
        "rocm-smi --showproductname --showbus --showmeminfo vram --showdriverversion --json",
        "rocm-smi --showbus -c -p --showdriverversion --json",
        "amd-smi static --asic --bus --vram --driver --json",
        "amd-smi list --json",
        "amd-smi metric -c -l --json",
    ],
}


def read_nodes(suite: Suite) -> Dict[str, Any]:
    """The document of `muster nodes --json` about this machine."""
    result = suite.muster.run("nodes", "--json")
    expect(result.status == 0, "muster nodes: exit {}: {}".format(result.status, result.last_lines()))
    node = json.loads(result.out)["nodes"][0]
    suite.machine.record["muster nodes --json"] = json.dumps(node, indent=1)
    return node


def record_raw(suite: Suite) -> None:
    """Keeps the output of the commands that muster runs; see templates/facts.py, fleet/gpus/ and templates/muster_agent/gpu/."""
    for command in RAW[suite.machine.vendor]:
        suite.machine.tool(*command.split())


def check_facts(suite: Suite) -> str:
    """Number, addresses, models, memory and driver."""
    record_raw(suite)
    found: List[Dict[str, Any]] = read_nodes(suite)["gpus"]
    cards = suite.machine.cards
    addresses = [gpu["pci"] for gpu in found]
    expect(addresses == [card.address for card in cards], "muster finds {}, the vendor {}".format(addresses, cards))
    for gpu, card in zip(found, cards):
        compare_gpu(gpu, card, suite.machine.vendor)
    first = cards[0]
    return "{} x {}, {} MiB, driver {}".format(len(cards), found[0]["model"], first.total_mib, found[0]["driver"])


def compare_gpu(gpu: Dict[str, Any], card: Card, vendor: str) -> None:
    where = "GPU {}: ".format(card.address)
    expect(gpu["vendor"] == vendor, where + "vendor {}".format(gpu["vendor"]))
    expect(bool(gpu["model"]), where + "no model")
    expect(card.model in ("", gpu["model"]), where + "model {}, but {}".format(gpu["model"], card.model))
    share = (gpu["vram"] or 0) / (card.total_mib << 20 or 1)
    expect(card.total_mib == 0 or MIN_VRAM_SHARE < share < 1.02, where + "{} bytes of memory, but {} MiB".format(gpu["vram"], card.total_mib))
    expect(card.driver in (None, gpu["driver"]), where + "driver {}, but {}".format(gpu["driver"], card.driver))


def check_health(suite: Suite) -> str:
    """All cards are well, in the words of `nodes` and of the playbook."""
    health = read_nodes(suite)["gpuHealth"]
    expect(health is not None, "muster nodes says nothing of the health of the GPUs")
    expect(health["toolError"] is None, "{}".format(health["toolError"]))
    expect(health["sick"] == {}, "sick: {}".format(health["sick"]))
    result = suite.muster.run("verify", "gpu")
    expect(result.status == 0, "muster verify gpu: exit {}: {}".format(result.status, result.last_lines()))
    return "; ".join(health["notes"]) or "all well"


def check_library(suite: Suite) -> str:
    """The order in which the vendor's library numbers the cards is that of muster's slots. It may number the graphics of a processor, too."""
    cards = suite.machine.cards
    known = [card.address for card in cards]
    devices = [device for device in suite.look("devices") if device["address"] in known]
    addresses = [device["address"] for device in devices]
    expect(addresses == known, "the library shows {}, in this order".format(addresses))
    uuids = [device["uuid"] for device in devices]
    for card, uuid in zip(cards, uuids):
        expect(not (card.uuid and uuid) or card.uuid == uuid, "GPU {}: {}, but {}".format(card.address, card.uuid, uuid))
    if not any(uuids):
        raise Skipped("UUIDs (the addresses agree)")
    return "{} of {} in the order of the PCI bus".format(len(devices), devices[0]["name"])
