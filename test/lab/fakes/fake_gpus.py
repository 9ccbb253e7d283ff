"""The GPUs of a lab node, for the fake smi tools beside this file."""
import json
import os
import sys
import time
from typing import Any, Dict, List

sys.dont_write_bytecode = True


def load() -> Dict[str, Any]:
    """The set-up. Where its `tools` says so, the tool hangs, prints garbage or fails, and this call does not return."""
    with open(os.environ.get("LAB_GPUS", "/etc/lab-gpus.json")) as file:
        setup = json.load(file)
    if "nvidia" in setup and os.path.basename(sys.argv[0]) == "nvidia-smi":
        setup = {**setup["nvidia"], "first": setup["count"]}
    tools = setup.get("tools")
    if tools == "hang":
        time.sleep(1 << 31)
    if tools == "garbage":
        sys.stdout.buffer.write(b"WARNING: {\"card0\": \xff\xfe[[[ Segmentation fault\n")
        sys.exit(0)
    if tools == "fail":
        sys.stderr.write("ERROR:root:Driver not initialized (amdgpu not found in modules)\n")
        sys.exit(1)
    add_holdings(setup)
    return setup


HOLDINGS = "/var/tmp/fake-gpu"


def add_holdings(setup: Dict[str, Any]) -> None:
    """Adds the memory that living processes hold through the fake driver (test/gpu/fakes/fakegpu.c): a file each, `CARD MIB`."""
    used, holders = setup.setdefault("used", {}), setup.setdefault("holders", {})
    for name in os.listdir(HOLDINGS) if os.path.isdir(HOLDINGS) else []:
        if not os.path.exists("/proc/" + name) and not has_fault("leak"):
            continue
        with open(HOLDINGS + "/" + name) as file:
            words = file.read().split()
        if len(words) == 2:
            used[words[0]] = used.get(words[0], 1) + int(words[1])
            if not has_fault("nameless"):
                holders[words[0]] = int(name)


def has_fault(name: str) -> bool:
    """Whether /etc/fake-gpu-faults names this fault."""
    try:
        with open("/etc/fake-gpu-faults") as file:
            return name in file.read()
    except OSError:
        return False


def cards(setup: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The cards on the bus, each with its index, its address as the kernel spells it, its performance level, and whether it is sick."""
    places = [(index, "0000:%02x:00.0" % (3 + 3 * (setup.get("first", 0) + index))) for index in range(setup["count"])]
    return [
        {"index": index, "address": address, "sick": index in setup.get("sick", []), "level": read_level(address)}
        for index, address in places
        if index not in setup.get("absent", [])
    ]


def read_level(address: str) -> str:
    """What an AMD card is set to."""
    try:
        with open("/sys/bus/pci/devices/" + address + "/power_dpm_force_performance_level") as file:
            return file.read().strip()
    except OSError:
        return "auto"


MARKET_NAME = "Navi 23 [Radeon RX 6600/6600 XT/6600M]"
