"""Minimises (x - 3)^2 by gradient descent: matrix.py RATE STEPS FILE. Replace it by your own trial."""

import json
import sys
from pathlib import Path

rate, steps, path = float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
x = 0.0
for _ in range(steps):
    x -= rate * 2 * (x - 3)
path.write_text(json.dumps({"rate": rate, "steps": steps, "loss": (x - 3) ** 2}))
