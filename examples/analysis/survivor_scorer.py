"""Scores a seed against a history."""
from __future__ import annotations

import json
import os

from lib.draws import draws

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "scoring_config.json")) as file:
    CONFIG = json.load(file)


def score(seed: int, history: list[int], skip: int = 0, tolerance: int = 0) -> float:
    """The share of the history that the seed draws, or comes near to by `tolerance`."""
    drawn = draws(seed, len(history), skip)
    hits = sum(abs(one - other) <= tolerance for one, other in zip(drawn, history))
    return round(hits / len(history), CONFIG["digits"])
