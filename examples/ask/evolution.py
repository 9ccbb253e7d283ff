"""A steady-state evolution strategy: each new trial varies one of the best so far, and nobody waits for the slowest of a generation."""
import json
import random
import sys

TRIALS, PARENTS, DECAY = 200, 6, 0.985
LOW, HIGH = {"x": -2.0, "y": -1.0}, {"x": 2.0, "y": 3.0}

draw = random.Random(4)
population: "list[tuple[float, dict[str, float]]]" = []  # loss and parameters, the best first
asked = ended = 0


def make_params() -> "dict[str, float]":
    if len(population) < PARENTS:
        return {name: draw.uniform(LOW[name], HIGH[name]) for name in LOW}
    _, parent = draw.choice(population)
    step = DECAY**ended
    return {name: min(HIGH[name], max(LOW[name], value + draw.gauss(0, step))) for name, value in parent.items()}


for line in sys.stdin:
    message = json.loads(line)
    if "task" in message:
        asked += 1
    elif {"output", "failure", "cancelled"} & message.keys():
        ended += 1
        if message.get("output"):
            population.append((message["output"]["loss"], message["params"]))
            population.sort(key=lambda one: one[0])
            del population[PARENTS:]
            print("after %d trials: %.4g" % (ended, population[0][0]), file=sys.stderr)
        if ended == TRIALS:
            print(json.dumps({"done": True}), flush=True)
    elif "want" in message:
        for _ in range(min(message["want"], TRIALS - asked)):
            print(json.dumps({"id": "trial-%d" % asked, "params": make_params()}), flush=True)
            asked += 1
