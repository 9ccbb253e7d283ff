"""Decides on trials of x and y: random ones at first, then variations of the best so far. Draws depend only on the number of the trial."""
import math
import random

PARENTS = 6
LOW, HIGH = {"x": -2.0, "y": -1.0}, {"x": 2.0, "y": 3.0}


class Evolution:
    def __init__(self) -> None:
        self.asked = 0
        self.best: "list[tuple[float, dict[str, float]]]" = []  # loss and parameters, the best first

    def suggest(self) -> "dict[str, float]":
        number = self.asked
        self.asked += 1
        draw = random.Random(number)
        seconds = round(min(20.0, draw.lognormvariate(0, 1)), 3)
        if len(self.best) < PARENTS:
            return {"number": number, "seconds": seconds, **{name: draw.uniform(LOW[name], HIGH[name]) for name in LOW}}
        parent = draw.choice(self.best)[1]
        step = 0.985**number
        around = {name: min(HIGH[name], max(LOW[name], parent[name] + draw.gauss(0, step))) for name in LOW}
        return {"number": number, "seconds": seconds, **around}

    def record(self, loss: float, params: "dict[str, float]") -> None:
        self.best = sorted(self.best + [(loss, params)], key=lambda one: (one[0], one[1]["number"]))[:PARENTS]


def loss_of(params: "dict[str, float]") -> float:
    """Rosenbrock's function."""
    return math.fsum([(1 - params["x"]) ** 2, 100 * (params["y"] - params["x"] ** 2) ** 2])
