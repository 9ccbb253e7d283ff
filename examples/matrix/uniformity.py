"""Tests whether the output of a random number generator is uniform: Pearson's chi-squared over 100 bins."""

import json
import random
import sys
from typing import Iterator

DRAWS, BINS = 20_000, 100


def randu(seed: int) -> Iterator[float]:
    """IBM's RANDU, known to be poor: x -> 65539 x mod 2^31."""
    state = 2 * seed + 1
    while True:
        state = 65539 * state % 2**31
        yield state / 2**31


def minstd(seed: int) -> Iterator[float]:
    """Lewis, Goodman and Miller's minimal standard: x -> 16807 x mod (2^31 - 1)."""
    state = seed + 1
    while True:
        state = 16807 * state % (2**31 - 1)
        yield state / (2**31 - 1)


def mt19937(seed: int) -> Iterator[float]:
    source = random.Random(seed)
    while True:
        yield source.random()


model, trial, output = sys.argv[1], int(sys.argv[2]), sys.argv[3]
draws = {"randu": randu, "minstd": minstd, "mt19937": mt19937}[model](trial)
counts = [0] * BINS
for _ in range(DRAWS):
    counts[int(next(draws) * BINS)] += 1
expected = DRAWS / BINS
chi2 = sum((count - expected) ** 2 / expected for count in counts)
with open(output, "w") as file:
    json.dump({"model": model, "trial": trial, "chi2": round(chi2, 3)}, file)
