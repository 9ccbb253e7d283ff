"""Scores a seed against a history."""
import json
import os

from lib.draws import draws

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "scoring_config.json")) as file:
    CONFIG = json.load(file)


def score(seed, history, skip=0, tolerance=0):
    """The share of the history that the seed draws, or comes near to by `tolerance`."""
    drawn = draws(seed, len(history), skip)
    hits = sum(abs(one - other) <= tolerance for one, other in zip(drawn, history))
    return round(hits / len(history), CONFIG["digits"])
