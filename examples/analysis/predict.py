"""Predicts the next numbers with the best model."""
import argparse
import glob
import json

from lib.draws import draws

options = argparse.ArgumentParser()
options.add_argument("--output", required=True)
options = options.parse_args()
models = [json.load(open(path)) for path in sorted(glob.glob("anti_overfit_results/*.json"))]
best = min(models, key=lambda model: model["error"])
with open("optimal_parameters.json") as file:
    seed = json.load(file)["survivors"][0]
prediction = {"model": best["model"], "seed": seed, "next": draws(seed, 3, skip=12)}
with open(options.output, "w") as file:
    json.dump(prediction, file)
print(prediction)
