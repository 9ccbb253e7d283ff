"""Measures how well one setting of the scorer separates the survivors."""
import argparse
import json
from statistics import pstdev

from survivor_scorer import score

options = argparse.ArgumentParser()
options.add_argument("--tolerance", type=int, required=True)
options.add_argument("--survivors", required=True)
options.add_argument("--output", required=True)
options = options.parse_args()
with open("train_history.json") as file:
    history = json.load(file)
with open(options.survivors) as file:
    survivors = json.load(file)
scores = [score(seed, history, tolerance=options.tolerance) for seed in survivors]
with open(options.output, "w") as file:
    json.dump({"tolerance": options.tolerance, "spread": pstdev(scores)}, file)
