"""A worker of bench/warm.ts: it takes seconds to load, and then half a second for each chunk. With muster's library, or, as
`worker.py cold NUMBER FILE`, for one chunk."""
import sys
import time

LOAD_SECONDS, CHUNK_SECONDS = 3.0, 0.5

time.sleep(LOAD_SECONDS)
if sys.argv[1:2] == ["cold"]:
    time.sleep(CHUNK_SECONDS)
    with open(sys.argv[3], "w") as file:
        file.write(sys.argv[2])
else:
    import muster

    for chunk in muster.chunks():
        time.sleep(CHUNK_SECONDS)
        chunk.write("n.txt", chunk.args[0].encode())
