"""Measures the error of a kind of model on the held-out numbers, and reports the device it ran on."""
import argparse
import json
import os

from lib.draws import draws

options = argparse.ArgumentParser()
options.add_argument("--model", required=True)
options.add_argument("--parameters", required=True)
options.add_argument("--output", required=True)
options = options.parse_args()
with open("train_history.json") as file:
    train = json.load(file)
with open("holdout_history.json") as file:
    holdout = json.load(file)
with open(options.parameters) as file:
    seed = json.load(file)["survivors"][0]
count = len(train)
slope = (train[-1] - train[0]) / (count - 1)
predicted = {
    "mean": [sum(train) / count] * len(holdout),
    "last": [train[-1]] * len(holdout),
    "linear": [train[-1] + slope * (step + 1) for step in range(len(holdout))],
    "generator": draws(seed, len(holdout), skip=count),
}[options.model]
error = sum(abs(one - other) for one, other in zip(predicted, holdout)) / len(holdout)
device = os.environ.get("HIP_VISIBLE_DEVICES") or os.environ.get("CUDA_VISIBLE_DEVICES") or "cpu"
with open(options.output, "w") as file:
    json.dump({"model": options.model, "error": error, "device": device}, file)
