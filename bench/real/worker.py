"""Simulates a program on a GPU: it loads, then works through the units from START to END at the speed of its GPU, by sleeping.

    worker.py [--report] START END FILE

cluster.json beside it has the speed of each GPU of each node over time, and the time that loading takes. With --report it shares
its progress, so that idle slots may take what it has not begun (see $MUSTER_RANGE in docs/worker-protocol.md). A GPU has one worker at a
time: a worker fails where another one has its GPU.
"""
import contextlib
import fcntl
import json
import os
import sys
import time
from typing import IO, Any, Callable, Dict, Iterator, List, Optional, Tuple

Report = Callable[[int, int], int]

# Between checks of where the range ends.
BLOCK_SECONDS = 0.25


def take_gpu(count: int) -> Tuple[int, IO[str]]:
    """Locks the GPU of $MUSTER_SLOT, or any free GPU where that is not set; its number, and the lock."""
    given = os.environ.get("MUSTER_SLOT")
    for number in [int(given)] if given else range(count):
        lock = open("/tmp/card-%d" % number, "w")
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number, lock
    sys.exit("no GPU is free")


def rate_at(gpu: Dict[str, Any], seconds: float) -> float:
    """Units per second at that time."""
    return [rate for since, rate in gpu["rate"] if since <= seconds][-1]


@contextlib.contextmanager
def progress(path: Optional[str]) -> Iterator[Report]:
    """Yields report(stop, end): it reports that the units before `stop` are taken, and returns where the range ends now."""
    if path is None:
        yield lambda stop, end: end
        return
    with open(path, "a+") as file:
        def report(stop: int, end: int) -> int:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            end = int((file.read().split() or [0, end])[1])
            file.truncate(0)
            file.write("%d %d\n" % (min(stop, end), end))
            file.flush()
            fcntl.flock(file, fcntl.LOCK_UN)
            return end
        yield report


def work(start: int, end: int, rate: Callable[[float], float], report: Report) -> int:
    """Sleeps through the range; returns where it ended."""
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


def main(words: List[str]) -> None:
    reports = words[0] == "--report"
    start, end = (int(word) for word in words[-3:-1])
    with open(os.path.join(os.path.dirname(sys.argv[0]), "cluster.json")) as file:
        cluster = json.load(file)
    gpus = [slot for slot in cluster["slots"] if slot["node"] == os.uname().nodename]
    number, _lock = take_gpu(len(gpus))
    time.sleep(cluster["overhead"])
    with progress(os.environ["MUSTER_RANGE"] if reports else None) as report:
        end = work(start, end, lambda at: rate_at(gpus[number], at - cluster["began"]), report)
    with open(words[-1], "w") as file:
        json.dump({"start": start, "end": end}, file)


main(sys.argv[1:])
