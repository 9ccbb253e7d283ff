"""Finds the seeds of a random number generator that yield the observed draws, among all seeds of a half-open range.

Generators: `mt19937` is Python's own (random.Random(seed).randrange(1000)), `java` is java.util.Random(seed).nextInt(1000).
Writes a JSON list of hits, each with the draws that follow the observed ones.
"""

import argparse
import fcntl
import json
import os
import random
import tempfile
from typing import Iterator, List

MODULUS = 1000
BLOCK = 1000


def mt19937(seed: int) -> Iterator[int]:
    source = random.Random(seed)
    while True:
        yield source.randrange(MODULUS)


def java(seed: int) -> Iterator[int]:
    """java.util.Random: a 48-bit linear congruential generator; nextInt(bound) for a bound that is no power of two."""
    state = (seed ^ 0x5DEECE66D) & ((1 << 48) - 1)
    while True:
        state = (state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        bits = state >> 17
        value = bits % MODULUS
        if bits - value + (MODULUS - 1) < 1 << 31:
            yield value


def blocks(start: int, end: int) -> Iterator[range]:
    """The seeds from start to end, in blocks. muster may lower the end, to give the rest to an idle slot.

    $MUSTER_RANGE names a file that holds "next end". To take a block, lock it (flock) and write where the next block begins.
    """
    path = os.environ.get("MUSTER_RANGE")
    with open(path, "a+") if path else tempfile.TemporaryFile("a+") as file:
        while True:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            end = int((file.read().split() or [start, end])[1])
            stop = min(start + BLOCK, end)
            file.truncate(0)
            file.write(f"{stop} {end}\n")
            file.flush()
            fcntl.flock(file, fcntl.LOCK_UN)
            if start >= end:
                return
            yield range(start, stop)
            start = stop


def matches(draws: Iterator[int], observed: List[int]) -> bool:
    return all(next(draws) == value for value in observed)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed-start", type=int, required=True)
    options.add_argument("--seed-end", type=int, required=True)
    options.add_argument("--observations", required=True)
    options.add_argument("--output", required=True)
    options = options.parse_args()

    with open(options.observations) as file:
        case = json.load(file)
    generator = {"mt19937": mt19937, "java": java}[case["generator"]]
    hits = []
    for seeds in blocks(options.seed_start, options.seed_end):
        for seed in seeds:
            draws = generator(seed)
            if matches(draws, case["draws"]):
                hits.append({"seed": seed, "next": [next(draws) for _ in range(3)]})
    with open(options.output, "w") as file:
        json.dump(hits, file)


if __name__ == "__main__":
    main()
