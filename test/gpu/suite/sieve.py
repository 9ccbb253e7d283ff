"""The sieve of examples/gpu-sieve on this machine's cards: its hits, checked against the processor, and its speed."""

import json
import os
import shutil
import sys
import time
from functools import partial
from typing import Any, Dict, List, Optional

from .muster import ROOT, read_text, write_json
from .outcome import Failed, Skipped, expect
from .suite import Suite

EXAMPLE = os.path.join(ROOT, "examples/gpu-sieve")
sys.path.insert(0, EXAMPLE)
import generator  # noqa: E402

BACKENDS = ["cupy", "built", "torch", "driver"]
BUILD_SECONDS, SEARCH_SECONDS = 60, 180
EXACT_SEEDS, EXACT_SKIP = 50000, 3
FIRST_SEEDS = 1 << 20
MEASURED_SECONDS, MEASUREMENTS = 2, 4
ENOUGH_SECONDS = 25  # of measurements of one backend: PyTorch may take long to load
RUN_SECONDS = 20  # of one card, for the run that is interrupted
CHUNKS_PER_CARD = 12
RECHECK = "30%"  # of at least 24 chunks that are drawn: never none
FIGURE_SECONDS, MIN_FIGURE_SECONDS = 60, 10
SPEED_RUNS = 3.3  # of so long: one without muster, two with it, and a reserve
MIN_SHARE = 0.95  # below this a figure is a fault; the aim is 0.98
SKIP, OBSERVED = 100, 6
DRIVER_FAILED = ("no GPU that the driver's library can use", "the driver does not load the kernel")  # though its library is there


class Sieve:
    """A copy of the example. `rates`: seeds a second, by backend, of those that work here. `problems`: what the others lack. `faults`:
    what went wrong."""

    def __init__(self, suite: Suite):
        self.suite = suite
        self.folder = os.path.join(suite.muster.folder, "gpu-sieve")
        self.rates: Dict[str, float] = {}
        self.last_rate = 0.0  # of the last search
        self.problems: List[str] = []
        self.faults: List[str] = []
        shutil.copytree(EXAMPLE, self.folder)

    def build(self) -> None:
        """Compiles the kernel where there is a compiler; what that prints is in the record."""
        done = self.suite.run_program(["./build.sh"], BUILD_SECONDS, self.folder, {})
        self.suite.machine.record["build.sh"] = done.out + done.err

    def search(self, backend: str, end: int, skip: int, draws: List[int]) -> Optional[List[int]]:
        """The hits below `end` as the backend finds them, without muster; None where it does not work here."""
        write_json(os.path.join(self.folder, "case.json"), {"skip": skip, "draws": draws})
        argv = [sys.executable, "sieve.py", "--seed-start", "0", "--seed-end", str(end), "--backend", backend]
        argv += ["--observations", "case.json", "--output", "found.json"]
        done = self.suite.run_program(argv, SEARCH_SECONDS, self.folder, self.suite.bind_first())
        errors = done.err.strip()
        if "nothing here can run it" in errors and not any(text in errors for text in DRIVER_FAILED):
            self.problems.append(errors.split("on a GPU: ")[-1][:300])
            return None
        expect(done.status == 0, "sieve.py --backend {}: exit {}: {}".format(backend, done.status, errors[-300:]))
        self.last_rate = float(json.loads(done.out.splitlines()[-1])["seeds_per_second"])
        with open(os.path.join(self.folder, "found.json")) as file:
            return [hit["seed"] for hit in json.load(file)]

    def measure(self, backend: str) -> None:
        """Measures the rate over ever more seeds, until start-up counts for little."""
        seeds, wanted = FIRST_SEEDS, generator.take(1, SKIP, OBSERVED)
        begun = time.monotonic()
        for _ in range(MEASUREMENTS):
            if self.search(backend, seeds, SKIP, wanted) is None:
                return
            self.rates[backend] = self.last_rate
            enough = self.last_rate * MEASURED_SECONDS * self.suite.scale
            if seeds >= enough / 2 or time.monotonic() - begun > ENOUGH_SECONDS:
                return
            seeds = int(enough)

    def best(self) -> str:
        return max(self.rates, key=lambda backend: self.rates[backend])


def open_sieve(suite: Suite) -> Sieve:
    """The sieve, with the rate of each backend measured. Skipped where none works."""
    if suite.sieve is None:
        sieve = suite.sieve = Sieve(suite)
        for step in [sieve.build, *[partial(sieve.measure, backend) for backend in BACKENDS]]:
            try:
                step()
            except Failed as failure:
                sieve.faults.append(str(failure))
    if not suite.sieve.rates:
        expect(suite.sieve.faults == [], "; ".join(suite.sieve.faults))
        raise Skipped("way to run a kernel: " + "; ".join(suite.sieve.problems))
    return suite.sieve


def check_exact(suite: Suite) -> str:
    """Each backend finds the very seeds that the processor finds; every 1000th is a hit."""
    sieve = open_sieve(suite)
    wanted = generator.take(12345, EXACT_SKIP, 1)
    hits = [seed for seed in range(EXACT_SEEDS) if generator.take(seed, EXACT_SKIP, 1) == wanted]
    for backend in list(sieve.rates):
        found = sieve.search(backend, EXACT_SEEDS, EXACT_SKIP, wanted)
        expect(found == hits, "{}: {} hits, the processor {}; {}".format(backend, len(found or []), len(hits), describe_difference(found or [], hits)))
    expect(sieve.faults == [], "; ".join(sieve.faults))
    lacking = "; not: " + "; ".join(sieve.problems) if sieve.problems else ""
    return "{} of {} seeds, through {}{}".format(len(hits), EXACT_SEEDS, ", ".join(sieve.rates), lacking)


def describe_difference(found: List[int], hits: List[int]) -> str:
    """The first of the seeds that only one of the two has found."""
    different = sorted(set(found) ^ set(hits))
    if not different:
        return "the same seeds in another order, or twice"
    return "seed {} is {}".format(different[0], "a hit that was not found" if different[0] in hits else "no hit")


def write_sieve(sieve: Sieve, name: str, end: int, keys: Dict[str, Any]) -> str:
    """A job over the seeds below `end`, whose only hit is in its last third; the path."""
    backend = sieve.best()
    write_json(os.path.join(sieve.folder, name + ".observed.json"), {"skip": SKIP, "draws": generator.take(planted(end), SKIP, OBSERVED)})
    args = ["--seed-start", "{start}", "--seed-end", "{end}", "--backend", backend]
    args += ["--observations", name + ".observed.json", "--output", "{out}/hits.json"]
    job = {
        "name": name,
        "kind": "range",
        "range": [0, end],
        "project": ".",
        "script": "sieve.py",
        "args": args,
        "inputs": [name + ".observed.json"],
        "outputs": ["hits.json"],
        "aggregate": {"from": "hits.json", "as": "array", "to": "hits.json"},
    }
    if backend == "built":
        job["build"] = {"command": ["./build.sh"], "outputs": ["built/"], "per": "gpu"}
    path = os.path.join(sieve.folder, name + ".yaml")
    write_json(path, {**job, **keys})
    return path


def planted(end: int) -> int:
    return end * 5 // 6


def check_run(suite: Suite) -> str:
    """Through muster, on all cards: interrupted in the middle, resumed, chunks computed twice, rates learned."""
    sieve = open_sieve(suite)
    cards = len(suite.machine.cards)
    each = max(int(sieve.rates[sieve.best()] * RUN_SECONDS * suite.scale / CHUNKS_PER_CARD), 1000)
    end = each * CHUNKS_PER_CARD * cards
    recheck = {"recheck": RECHECK} if cards > 1 else {}
    job = write_sieve(sieve, "sieve", end, {"chunk": each, **recheck})
    folder = os.path.join(sieve.folder, "runs/sieve")
    command = suite.muster.start("run", job)
    lines = os.path.join(folder, "results.ndjson")
    suite.muster.deadline.wait_until("a chunk is done", SEARCH_SECONDS, lambda: command.has_ended() or read_text(lines) != "")
    sample_load(suite)
    command.interrupt()
    stopped = command.wait()
    done, total = read_text(lines).count("\n"), CHUNKS_PER_CARD * cards
    if done >= total:
        raise Skipped("interrupt in the middle: all {} chunks were done before".format(total))
    expect(stopped.status == 130, "interrupted: exit {}: {}".format(stopped.status, stopped.last_lines()))
    result = suite.muster.run("run", job)
    expect(result.status == 0, "resumed: exit {}: {}".format(result.status, result.last_lines()))
    with open(os.path.join(folder, "summary.json")) as file:
        summary = json.load(file)
    again = done + summary["session"]["chunks"] - total
    expect(again == 0, "{} of {} chunks were done, but the resumed run did {}".format(done, total, summary["session"]["chunks"]))
    compared = summary.get("canary", {}).get("compared", 0)
    expect(compared > 0 or not recheck, "no chunk was computed twice: {}".format(summary.get("canary")))
    check_hits(folder, end)
    rates = read_text(os.path.join(suite.muster.folder, ".muster-rates.json"))
    learned = [slot["rate"] for kind in json.loads(rates or '{"kinds": {}}')["kinds"].values() for slot in kind["slots"].values()]
    expect(len(learned) >= cards and min(learned) > 0, "rates were learned of {} of {} cards".format(len(learned), cards))
    suite.machine.record[".muster-rates.json"] = rates
    twice = "{} computed twice".format(compared) if recheck else "none computed twice: that needs two cards"
    return "{} seeds by {}, interrupted after {} of {} chunks and resumed, {}".format(end, sieve.best(), done, total, twice)


def check_hits(folder: str, end: int) -> None:
    with open(os.path.join(folder, "hits.json")) as file:
        hits = json.load(file)
    seeds = [hit["seed"] for hit in hits]
    expect(seeds == [planted(end)], "hits {}, not {}".format(seeds[:5], planted(end)))
    expect(hits[0]["next"] == generator.take(seeds[0], SKIP + OBSERVED, 3), "the hit is not what the processor finds")


def sample_load(suite: Suite) -> None:
    """Keeps what the vendor's tool prints of cards at work, for the record."""
    if suite.machine.vendor == "amd":
        suite.machine.tool("rocm-smi", "--showuse", "--showpower", "--showtemp", "--showclocks", "--json")
    else:
        fields = "utilization.gpu,temperature.gpu,power.draw,clocks.sm,clocks.mem,memory.used"
        suite.machine.tool("nvidia-smi", "--query-gpu=" + fields, "--format=csv,noheader")


def check_speed(suite: Suite) -> str:
    """Two chunks on one card through muster, from start to end, beside the same work without muster."""
    sieve = open_sieve(suite)
    backend = sieve.best()
    seconds = min(FIGURE_SECONDS * suite.scale, suite.remaining_seconds() / SPEED_RUNS)
    if seconds < MIN_FIGURE_SECONDS * suite.scale:
        raise Skipped("time left for it")
    seeds = max(int(sieve.rates[backend] * seconds), 1000)
    begun = time.monotonic()
    sieve.search(backend, seeds, SKIP, generator.take(planted(2 * seeds), SKIP, OBSERVED))
    alone = time.monotonic() - begun
    job = write_sieve(sieve, "speed", 2 * seeds, {"chunk": seeds})
    inventory = suite.muster.write_inventory("one-card", {"gpus": 1})
    begun = time.monotonic()
    result = suite.muster.run("run", job, inventory=inventory)
    both = time.monotonic() - begun
    expect(result.status == 0, "exit {}: {}".format(result.status, result.last_lines()))
    check_hits(os.path.join(sieve.folder, "runs/speed"), 2 * seeds)
    share = 2 * alone / both
    text = "{:.3g} seeds a second by {}, {:.3f} of the speed without muster, chunks of {:.0f} s".format(
        2 * seeds / both, backend, share, alone
    )
    suite.figures["speed"] = text
    if seconds >= FIGURE_SECONDS and share < MIN_SHARE:
        raise Failed(text)
    return text
