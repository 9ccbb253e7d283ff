"""Prints the seeds of an inclusive range that draw at least a quarter of the observed numbers."""
import argparse
import json

from survivor_scorer import score

options = argparse.ArgumentParser()
options.add_argument("--seed-start", type=int, required=True)
options.add_argument("--seed-end", type=int, required=True)
options = options.parse_args()
with open("train_history.json") as file:
    history = json.load(file)
seeds = range(options.seed_start, options.seed_end + 1)
print(json.dumps([seed for seed in seeds if score(seed, history) >= 0.25]))
