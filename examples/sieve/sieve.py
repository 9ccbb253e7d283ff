"""Finds the seeds of a random number generator that yield the observed draws, among all seeds of a half-open range.

Generators: `mt19937` is Python's own (random.Random(seed).randrange(1000)), `java` is java.util.Random(seed).nextInt(1000).
Writes a JSON list of hits, each with the draws that follow the observed ones. Without muster:

    PYTHONPATH=../../templates/worker python3 sieve.py --range 0:500000 observations.json
"""

import json
import random
from typing import Iterator, List

import muster

MODULUS = 1000


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


def matches(draws: Iterator[int], observed: List[int]) -> bool:
    return all(next(draws) == value for value in observed)


for chunk in muster.chunks():
    with open(chunk.args[0]) as file:
        case = json.load(file)
    generator = {"mt19937": mt19937, "java": java}[case["generator"]]
    hits = []
    for seeds in chunk.ranges(step=1000):
        for seed in seeds:
            draws = generator(seed)
            if matches(draws, case["draws"]):
                hits.append({"seed": seed, "next": [next(draws) for _ in range(3)]})
    chunk.write("hits.json", hits)
