"""What muster says of a card at work, in the result of a chunk of the sieve."""

import json
import os
from typing import Any, Dict

from .outcome import Skipped, expect
from .sieve import open_sieve, write_sieve
from .suite import Suite

LOAD_SECONDS, MIN_LOAD_SECONDS = 12, 4
MIN_BUSY_PERCENT = 50
LEAST_CELSIUS, MOST_CELSIUS = 1, 130
FIGURES = ("busy", "used", "watts", "celsius", "mhz")
MIB = 1 << 20


def check_samples(suite: Suite) -> str:
    """One chunk on the first card, looked at every second: the figures are of this card, and can be true."""
    sieve = open_sieve(suite)
    seeds = max(int(sieve.rates[sieve.best()] * max(LOAD_SECONDS * suite.scale, MIN_LOAD_SECONDS)), 1000)
    job = write_sieve(sieve, "samples", seeds, {"chunk": seeds})
    inventory = suite.muster.write_inventory("sampled", {"gpus": 1, "gpu_samples": "1s"})
    result = suite.muster.run("run", job, inventory=inventory)
    expect(result.status == 0, "exit {}: {}".format(result.status, result.last_lines()))
    with open(os.path.join(sieve.folder, "runs/samples/results.ndjson")) as file:
        lines = [json.loads(line) for line in file]
    found = [usage for line in lines for usage in line.get("usage", [])]
    suite.machine.record["samples"] = json.dumps(found, indent=1)
    card = suite.machine.cards[0]
    expect([usage["pci"] for usage in found] == [card.address], "samples of {}, not of {}".format(found, card.address))
    usage = found[0]
    expect(usage["samples"] >= 2, "{} samples in {} s".format(usage["samples"], usage["seconds"]))
    if card.total_mib and "used" in usage:
        expect(usage["used"]["max"] <= card.total_mib * MIB, "{} bytes used".format(usage["used"]["max"]))
    if "celsius" in usage:
        expect(LEAST_CELSIUS <= usage["celsius"]["max"] <= MOST_CELSIUS, "{} degrees".format(usage["celsius"]["max"]))
    if suite.scale >= 1 and "busy" in usage:
        expect(usage["busy"]["max"] >= MIN_BUSY_PERCENT, "{} % busy at most".format(usage["busy"]["max"]))
    if suite.scale >= 1 and "watts" in usage:
        expect(usage["watts"]["max"] > 0 and usage["wattHours"] > 0, "no power")
    if not any(name in usage for name in FIGURES):
        raise Skipped("figures: the vendor's tool has none of {}".format(", ".join(FIGURES)))
    suite.figures["samples"] = describe(usage)
    return suite.figures["samples"]


def describe(usage: Dict[str, Any]) -> str:
    units = {"busy": "%", "watts": "W", "celsius": "°C", "mhz": "MHz"}
    figures = ["{:.0f} {} (at most {:.0f})".format(usage[name]["mean"], unit, usage[name]["max"]) for name, unit in units.items() if name in usage]
    return "{}; {} samples in {:.0f} s".format(", ".join(figures) or "memory only", usage["samples"], usage["seconds"])
