"""The power cap of the first card: the playbook `power` sets it a little lower or higher, and restores it."""

import glob
import os
from functools import partial
from math import inf
from typing import List, Optional, Tuple

from .machine import BUS, Card, read_file
from .outcome import Skipped, expect
from .suite import Suite

STEP_WATTS = 5.0
MARGIN_WATTS = 0.1
MICRO = 1e-6  # the kernel counts millionths of a watt

Caps = Tuple[float, float, float]


def check_power(suite: Suite) -> str:
    card = suite.machine.cards[0]
    caps = read_caps(suite, card)
    if caps is None:
        raise Skipped("power cap that can be read")
    now, lowest, highest = caps
    other = now - STEP_WATTS if now - STEP_WATTS >= lowest else now + STEP_WATTS
    if other > highest or os.getuid() != 0:
        why = "the cap is fixed" if other > highest else "not root"
        raise Skipped("permission to set the power cap ({}); it is {:.0f} W of {:.0f} to {:.0f}".format(why, now, lowest, highest))
    if not set_cap(suite, card, now):
        raise Skipped("permission to set the power cap; it is {:.0f} W of {:.0f} to {:.0f}".format(now, lowest, highest))
    # Also after a check that has no time left: a tool has its own limit then.
    suite.restore = partial(set_cap, suite, card, now)
    try:
        provision_cap(suite, card, other)
        provision_cap(suite, card, now)
    finally:
        suite.muster.deadline.at = inf
        suite.restore()
    expect_cap(suite, card, now)
    suite.restore = None
    return "{:.0f} W, set to {:.0f} W and restored".format(now, other)


def provision_cap(suite: Suite, card: Card, watts: float) -> None:
    """Sets the cap as a user does; Failed where the card then has another one."""
    inventory = suite.muster.write_inventory("power", {"gpus": 1, "power": "{:.2f}W".format(watts)})
    for verb in ("provision", "verify"):
        result = suite.muster.run(verb, "power", inventory=inventory)
        expect(result.status == 0, "muster {} power: exit {}: {}".format(verb, result.status, result.last_lines()))
    expect_cap(suite, card, watts)


def expect_cap(suite: Suite, card: Card, watts: float) -> None:
    caps = read_caps(suite, card)
    expect(caps is not None and abs(caps[0] - watts) < MARGIN_WATTS, "set to {} W, but it is {}".format(watts, caps))


def read_caps(suite: Suite, card: Card) -> Optional[Caps]:
    """(now, lowest, highest) in watts; None where the card does not tell."""
    if suite.machine.vendor == "amd":
        return to_caps([read_file(path) for path in find_cap_files(card)], MICRO)
    fields = "power.limit,power.min_limit,power.max_limit"
    words = ["nvidia-smi", "-i", card.address, "--query-gpu=" + fields, "--format=csv,noheader,nounits"]
    return to_caps(suite.machine.tool(*words).strip().split(","))


def to_caps(cells: List[str], unit: float = 1.0) -> Optional[Caps]:
    try:
        now, lowest, highest = [float(cell) * unit for cell in cells]
    except ValueError:
        return None
    return now, lowest, highest


def find_cap_files(card: Card) -> List[str]:
    folders = glob.glob(BUS + card.address + "/hwmon/hwmon*")
    return [folders[0] + "/power1_cap" + end for end in ("", "_min", "_max")] if folders else []


def set_cap(suite: Suite, card: Card, watts: float) -> bool:
    """Whether the vendor's tool, or the kernel, takes it."""
    if suite.machine.vendor == "nvidia":
        said = suite.machine.tool("nvidia-smi", "-i", card.address, "-pl", "{:.2f}".format(watts))
        return "was set to" in said or "is already" in said
    try:
        with open(find_cap_files(card)[0], "w") as file:
            file.write(str(round(watts / MICRO)))
    except OSError:
        return False
    return True
