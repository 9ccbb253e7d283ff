"""Finds the weight of the held-out score that ranks one survivor furthest above the others."""
import argparse
import glob
import json

options = argparse.ArgumentParser()
options.add_argument("--scores", required=True)
options.add_argument("--output", required=True)
options = options.parse_args()
scores = [one for path in sorted(glob.glob(f"{options.scores}/*.json")) for one in json.load(open(path))]


def lead(weight: float) -> float:
    ranked = sorted(((1 - weight) * one["train"] + weight * one["holdout"] for one in scores), reverse=True)
    return ranked[0] - ranked[1]


weight = max((step / 10 for step in range(11)), key=lead)
top = sorted(scores, key=lambda one: (1 - weight) * one["train"] + weight * one["holdout"], reverse=True)[:5]
with open(options.output, "w") as file:
    json.dump({"weight": weight, "survivors": [one["seed"] for one in top]}, file)
