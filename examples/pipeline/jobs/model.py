"""Fits one kind of model to the observed draws, and writes the mean error of its predictions for the held-out ones."""
import json
import os
import random
import sys
from typing import List

model, device, out = sys.argv[1:4]
history = json.load(open("history.json"))
train, holdout = history["train"], history["holdout"]
places = range(len(train), len(train) + len(holdout))


def mean() -> List[float]:
    return [sum(train) / len(train)] * len(holdout)


def last() -> List[float]:
    return [train[-1]] * len(holdout)


def linear() -> List[float]:
    middle = (len(train) - 1) / 2
    slope = sum((x - middle) * y for x, y in enumerate(train)) / sum((x - middle) ** 2 for x in range(len(train)))
    return [sum(train) / len(train) + slope * (x - middle) for x in places]


def generator() -> List[float]:
    def drawn(seed: int, count: int) -> List[float]:
        numbers = random.Random(seed)
        return [numbers.randrange(1000) for _ in range(count)]

    seeds = [one["seed"] for one in json.load(open("survivors.json"))]
    fit = min(seeds, key=lambda seed: sum(abs(a - b) for a, b in zip(drawn(seed, len(train)), train)))
    return drawn(fit, len(train) + len(holdout))[len(train):]


predicted = {"mean": mean, "last": last, "linear": linear, "generator": generator}[model]()
error = sum(abs(a - b) for a, b in zip(predicted, holdout)) / len(holdout)
json.dump({"model": model, "error": error, "device": device, "pid": os.getpid()}, open(out, "w"))
