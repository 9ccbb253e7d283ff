"""Scores survivors on the numbers that were observed, and on those that were held out."""
import argparse
import json

from survivor_scorer import score

options = argparse.ArgumentParser()
options.add_argument("--survivors", required=True)
options.add_argument("--tolerance", type=int, required=True)
options.add_argument("--output", required=True)
options = options.parse_args()
with open("train_history.json") as file:
    train = json.load(file)
with open("holdout_history.json") as file:
    holdout = json.load(file)
with open(options.survivors) as file:
    survivors = json.load(file)
scores = [
    {
        "seed": seed,
        "train": score(seed, train, tolerance=options.tolerance),
        "holdout": score(seed, holdout, skip=len(train), tolerance=options.tolerance),
    }
    for seed in survivors
]
with open(options.output, "w") as file:
    json.dump(scores, file)
