"""Scores a part of the survivors: 1 stands for a perfect prediction of all observed and held-out draws."""
import json
import random
import sys

start, end, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
history = json.load(open("history.json"))
weight = json.load(open("weights.json"))["weight"]
draws = history["train"] + history["holdout"]


def score(seed: int) -> float:
    generator = random.Random(seed)
    places = range(len(draws))
    missed = sum((1 + weight * place) * (generator.randrange(1000) != draws[place]) for place in places)
    return 1 - missed / sum(1 + weight * place for place in places)


seeds = [one["seed"] for one in json.load(open("survivors.json"))][start:end]
json.dump([{"seed": seed, "score": score(seed)} for seed in seeds], open(out, "w"))
