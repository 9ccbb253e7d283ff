"""Picks the weighting of the best trial."""
import json
import sys

trials = json.load(open(sys.argv[1]))
best = max(trials, key=lambda trial: (trial["spread"], -trial["weight"]))
json.dump({"weight": best["weight"]}, open(sys.argv[2], "w"))
