"""Fits one model to noisy samples of a curve, and writes its error and the devices that it was given.

    python3 compare.py mean|linear|stump|network OUTPUT

It uses no GPU library, so that it runs anywhere: the network only splits each batch among its devices, as DataParallel does."""
from __future__ import annotations

import json
import math
import os
import random
import sys
from typing import Callable, List, Tuple

Points = List[Tuple[float, float]]
SAMPLES = 400
EPOCHS = 300


def make_points(seed: int) -> Points:
    source = random.Random(seed)
    xs = [source.uniform(-3, 3) for _ in range(SAMPLES)]
    return [(x, math.tanh(2 * x) + source.gauss(0, 0.1)) for x in xs]


def find_devices() -> list[str]:
    """A program sees the GPUs that it was given as devices 0, 1, ..., whatever their indices on the node are."""
    bound = os.environ.get("CUDA_VISIBLE_DEVICES") or os.environ.get("HIP_VISIBLE_DEVICES") or ""
    count = len([one for one in bound.split(",") if one and one != "-1"])
    return ["cuda:{}".format(number) for number in range(count)] or ["cpu"]


def fit_mean(points: Points, _: list[str]) -> Callable[[float], float]:
    mean = sum(y for _, y in points) / len(points)
    return lambda x: mean


def fit_linear(points: Points, _: list[str]) -> Callable[[float], float]:
    slope = sum(x * y for x, y in points) / sum(x * x for x, _ in points)
    return lambda x: slope * x


def fit_stump(points: Points, _: list[str]) -> Callable[[float], float]:
    left, right = [y for x, y in points if x < 0], [y for x, y in points if x >= 0]
    low, high = sum(left) / len(left), sum(right) / len(right)
    return lambda x: low if x < 0 else high


def fit_network(points: Points, devices: list[str]) -> Callable[[float], float]:
    """One neuron, by gradient descent. Each device computes the gradient of its share of the points."""
    weight, scale = 0.5, 0.5
    shares = [points[number :: len(devices)] for number in range(len(devices))]
    for _ in range(EPOCHS):
        gradients = [gradient(share, weight, scale) for share in shares]
        weight -= 0.5 * sum(one[0] for one in gradients) / len(points)
        scale -= 0.5 * sum(one[1] for one in gradients) / len(points)
    return lambda x: scale * math.tanh(weight * x)


def gradient(points: Points, weight: float, scale: float) -> tuple[float, float]:
    by_weight = by_scale = 0.0
    for x, y in points:
        out = math.tanh(weight * x)
        error = scale * out - y
        by_weight += error * scale * (1 - out * out) * x
        by_scale += error * out
    return by_weight, by_scale


FITS = {"mean": fit_mean, "linear": fit_linear, "stump": fit_stump, "network": fit_network}


def main() -> None:
    model, output = sys.argv[1:]
    devices = find_devices()
    predict = FITS[model](make_points(1), devices)
    test = make_points(2)
    error = math.sqrt(sum((predict(x) - y) ** 2 for x, y in test) / len(test))
    with open(output, "w") as file:
        json.dump({"model": model, "error": round(error, 4), "devices": devices}, file)


if __name__ == "__main__":
    main()
