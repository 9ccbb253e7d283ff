"""Measures how far a weighting separates the best survivor from the others."""
import json
import random
import sys

weight, out = int(sys.argv[1]), sys.argv[2]
observed = json.load(open("history.json"))["train"]
survivors = [one["seed"] for one in json.load(open("survivors.json"))]


def error(seed: int) -> int:
    generator = random.Random(seed)
    return sum(abs(generator.randrange(1000) - wanted) * (1 + weight * place) for place, wanted in enumerate(observed))


errors = sorted(error(seed) for seed in survivors)
spread = (errors[1] - errors[0]) / (1 + sum(errors) / len(errors)) if len(errors) > 1 else 0.0
json.dump({"weight": weight, "spread": spread}, open(out, "w"))
