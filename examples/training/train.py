"""Trains a small model: logistic regression on points of two classes, by gradient descent. After every tenth epoch it saves its
state, so that a run continues where it was. The result does not depend on how often it was interrupted.

    python3 train.py --seed 7 --epochs 400 --output model.json"""
from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil

SAVE_EVERY = 10


def make_points(seed: int) -> list[tuple[float, float, int]]:
    """400 points in the plane, (x, y, class)."""
    source = random.Random(seed)
    centres = [(-1.0, -0.5), (1.0, 0.8)]
    points: list[tuple[float, float, int]] = []
    for number in range(400):
        x, y = centres[number % 2]
        points.append((source.gauss(x, 1.0), source.gauss(y, 1.0), number % 2))
    return points


def train_epoch(weights: list[float], points: list[tuple[float, float, int]], rate: float = 0.02) -> list[float]:
    """One pass over all points; the weights are (bias, x, y)."""
    bias, wx, wy = weights
    for x, y, label in points:
        error = 1 / (1 + math.exp(-(bias + wx * x + wy * y))) - label
        bias, wx, wy = bias - rate * error, wx - rate * error * x, wy - rate * error * y
    return [bias, wx, wy]


def read_current(folder: str) -> str | None:
    """The name of the folder that was saved last; None where nothing was saved yet."""
    try:
        with open(os.path.join(folder, "current")) as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def load_state(folder: str) -> tuple[int, list[float]]:
    """What an earlier attempt saved last: the epoch that comes next, and the weights."""
    name = read_current(folder)
    if name is None:
        return 0, [0.0, 0.0, 0.0]
    with open(os.path.join(folder, name, "weights.json")) as file:
        epoch, weights = json.load(file)
        return epoch, weights


def save_state(folder: str, epoch: int, weights: list[float]) -> None:
    """Writes a new folder, makes `current` name it, in one step, and then removes the folder of the state before."""
    before = read_current(folder)
    name = "epoch-{}".format(epoch)
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    with open(os.path.join(folder, name, "weights.json"), "w") as file:
        json.dump([epoch, weights], file)
    with open(os.path.join(folder, "current.new"), "w") as file:
        file.write(name)
    os.replace(os.path.join(folder, "current.new"), os.path.join(folder, "current"))
    if before:
        shutil.rmtree(os.path.join(folder, before))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--output", required=True)
    args = parser.parse_args()
    folder = os.environ.get("MUSTER_STATE")
    points = make_points(args.seed)
    epoch, weights = load_state(folder) if folder else (0, [0.0, 0.0, 0.0])
    print("begins at epoch", epoch, flush=True)
    while epoch < args.epochs:
        weights = train_epoch(weights, points)
        epoch += 1
        if folder and epoch % SAVE_EVERY == 0:
            save_state(folder, epoch, weights)
    right = sum((weights[0] + weights[1] * x + weights[2] * y > 0) == (label == 1) for x, y, label in points)
    with open(args.output, "w") as file:
        json.dump({"seed": args.seed, "weights": weights, "accuracy": right / len(points)}, file)


if __name__ == "__main__":
    main()
