"""A trial: it takes as long as it was told, and writes its loss."""
import time

import evolution
import muster

for chunk in muster.chunks():
    time.sleep(chunk.params["seconds"])
    chunk.write(chunk.params["file"], {"loss": evolution.loss_of(chunk.params)})
