"""Finds the seeds of java.util.Random that yield the observed draws, among all seeds of a half-open range, on the GPU of its slot.

Writes a JSON list of hits, each with the draws that follow the observed ones. stdout says how it was computed, and how fast.
"""

import argparse
import json
import os
import sys
import time
from typing import List, Tuple

from backends import BACKENDS, Search, Unavailable
from generator import take

FIRST_LAUNCH = 1 << 20
LAUNCH_SECONDS = 0.5  # A card that also drives a display has a limit of a few seconds.


def open_backend(wanted: str) -> Tuple[str, Search]:
    """The backend of this name, or the first that works here."""
    problems: List[str] = []
    for name in [wanted] if wanted != "auto" else list(BACKENDS):
        try:
            return name, BACKENDS[name]()
        except Unavailable as problem:
            problems.append("{}: {}".format(name, problem))
    raise SystemExit("sieve: nothing here can run it on a GPU: " + "; ".join(problems))


def report_progress(done: int, total: int) -> None:
    path = os.environ.get("MUSTER_PROGRESS")
    if path:
        with open(path, "w") as file:
            file.write("{} {}\n".format(done, total))


def search_range(search: Search, start: int, end: int, skip: int, observed: List[int]) -> List[int]:
    """Launches grow until one takes about LAUNCH_SECONDS."""
    hits: List[int] = []
    size, at = FIRST_LAUNCH, start
    while at < end:
        count, begun = min(size, end - at), time.monotonic()
        hits += search(at, count, skip, observed)
        at += count
        if time.monotonic() - begun < LAUNCH_SECONDS / 2:
            size *= 2
        report_progress(at - start, end - start)
    return sorted(hits)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed-start", type=int, required=True)
    options.add_argument("--seed-end", type=int, required=True)
    options.add_argument("--observations", required=True)
    options.add_argument("--output", required=True)
    options.add_argument("--backend", choices=["auto", *BACKENDS], default="auto")
    options = options.parse_args()

    with open(options.observations) as file:
        case = json.load(file)
    skip, observed = case["skip"], case["draws"]
    begun = time.monotonic()
    name, search = open_backend(options.backend)
    opened = time.monotonic()
    hits = search_range(search, options.seed_start, options.seed_end, skip, observed)
    seconds = max(time.monotonic() - opened, 1e-9)
    with open(options.output, "w") as file:
        json.dump([{"seed": seed, "next": take(seed, skip + len(observed), 3)} for seed in hits], file)
    rate = (options.seed_end - options.seed_start) / seconds
    print(json.dumps({"backend": name, "load_seconds": round(opened - begun, 3), "seeds_per_second": round(rate)}))


if __name__ == "__main__":
    sys.exit(main())
