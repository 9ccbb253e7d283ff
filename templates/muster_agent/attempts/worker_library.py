"""Places the worker library `muster.py` where the programs of the run find it."""
from __future__ import annotations

import os

FOLDER = "lib"


def place_library(root: str) -> bytes:
    """Writes the library into the run's folder, and returns the folder for PYTHONPATH. OSError where it cannot be written."""
    folder = os.path.join(root, FOLDER)
    path = os.path.join(folder, "muster.py")
    source: str = globals()["__loader__"].get_source("muster")  # it came with the agent (agent.py)
    os.makedirs(folder, 0o700, exist_ok=True)
    partial = path + ".partial"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(source)
    os.replace(partial, path)
    return os.fsencode(folder)
