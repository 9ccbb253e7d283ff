"""A training that takes a while: gradient descent with momentum down a narrow valley, which reports its loss after each epoch."""
import time

import muster

for chunk in muster.chunks():
    rate, momentum = float(chunk.params["rate"]), float(chunk.params["momentum"])
    x, y, dx, dy, loss = -1.0, 2.0, 0.0, 0.0, 0.0
    for epoch in range(40):
        dx, dy = momentum * dx - rate * 2 * x, momentum * dy - rate * 20 * y
        x, y = max(-1e6, min(1e6, x + dx)), max(-1e6, min(1e6, y + dy))
        loss = x * x + 10 * y * y
        chunk.report(epoch, loss)
        time.sleep(0.1)
    chunk.write("loss.json", {"loss": loss})
