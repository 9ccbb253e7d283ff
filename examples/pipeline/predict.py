"""Predicts the next draws with the best survivor, and names the best model."""
import json
import random
import sys

scores, models = (json.load(open(path)) for path in sys.argv[1:3])
survivor = max(scores, key=lambda one: one["score"])
model = min(models, key=lambda one: one["error"])
generator = random.Random(survivor["seed"])
draws = [generator.randrange(1000) for _ in range(10)]
prediction = {"model": model["model"], "seed": survivor["seed"], "score": survivor["score"], "next": draws[7:]}
json.dump(prediction, open(sys.argv[3], "w"))
print(prediction)
