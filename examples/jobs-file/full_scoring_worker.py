"""Scores the survivors of a sieve: the share of the held-out draws that each seed predicts."""

import argparse
import json
import random
from typing import List


def score(seed: int, skip: int, held_out: List[int]) -> float:
    source = random.Random(seed)
    for _ in range(skip):
        source.randrange(1000)
    return sum(source.randrange(1000) == value for value in held_out) / len(held_out)


options = argparse.ArgumentParser()
options.add_argument("--survivors", required=True)
options.add_argument("--holdout", default="holdout_history.json")
options.add_argument("--output", required=True)
options = options.parse_args()
with open(options.holdout) as file:
    holdout = json.load(file)
with open(options.survivors) as file:
    survivors = json.load(file)
scores = {str(seed): score(seed, holdout["skip"], holdout["draws"]) for seed in survivors}
with open(options.output, "w") as file:
    json.dump(scores, file)
