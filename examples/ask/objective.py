"""Computes one trial: how far (x, y) is from the minimum of Rosenbrock's function, which lies at (1, 1)."""
import muster

for chunk in muster.chunks():
    x, y = float(chunk.params["x"]), float(chunk.params["y"])
    chunk.write("loss.json", {"loss": (1 - x) ** 2 + 100 * (y - x * x) ** 2})
