"""Simulates a GPU program: loads, then works through the units from START to END at the rate of its GPU, asleep.

    worker.py [--report] START END FILE

cluster.json beside it has the rates of the GPUs of each node over time, and the loading time. With --report it reports its
progress, so that the units that it has not begun can be split off (see $MUSTER_RANGE in README.md). A GPU runs one worker at
a time, whatever started it: a worker fails if another one holds its GPU.
"""
import contextlib
import fcntl
import json
import os
import sys
import time

# The seconds of work between two reports.
BLOCK_SECONDS = 0.25


def lock_gpu(count):
    """Locks and returns the GPU in $MUSTER_SLOT, or any free one if that is not set."""
    given = os.environ.get("MUSTER_SLOT")
    for number in [int(given)] if given else range(count):
        lock = open("/tmp/card-%d" % number, "w")
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number, lock
    sys.exit("no GPU is free")


def rate_at(gpu, seconds):
    """Returns the units a second of a GPU at a time."""
    return [rate for since, rate in gpu["rate"] if since <= seconds][-1]


@contextlib.contextmanager
def progress(path):
    """Yields a function that reports the end of the next block and returns where the range ends now."""
    if path is None:
        yield lambda stop, end: end
        return
    with open(path, "a+") as file:
        def report(stop, end):
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            end = int((file.read().split() or [0, end])[1])
            file.truncate(0)
            file.write("%d %d\n" % (min(stop, end), end))
            file.flush()
            fcntl.flock(file, fcntl.LOCK_UN)
            return end
        yield report


def work(start, end, rate, report):
    """Sleeps through the range. Returns where it ended."""
    at = time.time()
    while True:
        block = max(1, int(rate(at) * BLOCK_SECONDS))
        end = report(start + block, end)
        if start >= end:
            return end
        block = min(block, end - start)
        at += block / rate(at)
        time.sleep(max(0, at - time.time()))
        start += block


def main(words):
    reports = words[0] == "--report"
    start, end = (int(word) for word in words[-3:-1])
    with open(os.path.join(os.path.dirname(sys.argv[0]), "cluster.json")) as file:
        cluster = json.load(file)
    gpus = [slot for slot in cluster["slots"] if slot["node"] == os.uname().nodename]
    number, _lock = lock_gpu(len(gpus))
    time.sleep(cluster["overhead"])
    with progress(os.environ["MUSTER_RANGE"] if reports else None) as report:
        end = work(start, end, lambda at: rate_at(gpus[number], at - cluster["began"]), report)
    with open(words[-1], "w") as file:
        json.dump({"start": start, "end": end}, file)


main(sys.argv[1:])
