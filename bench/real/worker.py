"""Stands for a program on a GPU: loads, then works through the units from START to END at the speed of its card, asleep.

    worker.py [--report] START END FILE

cluster.json beside it says how fast each card of each node is, from when on, and how long loading takes. With --report it says
how far it is, so that idle slots may take over what it has not begun (see $MUSTER_RANGE in README.md). Whatever the program
that started it thinks, a card has one worker at a time: it fails where another one has its card.
"""
import contextlib
import fcntl
import json
import os
import sys
import time

# Seconds of work between two looks at how far it may go.
BLOCK = 0.25


def card(count):
    """Takes the card that it was given, or any that is free where nobody says."""
    given = os.environ.get("MUSTER_SLOT")
    for number in [int(given)] if given else range(count):
        lock = open("/tmp/card-%d" % number, "w")
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number, lock
    sys.exit("no card is free")


def rate(card, seconds):
    return [rate for since, rate in card["rate"] if since <= seconds][-1]


@contextlib.contextmanager
def progress(path):
    """Tells how far it is before it begins a block, and hears where its range ends now."""
    if path is None:
        yield lambda stop, end: end
        return
    with open(path, "a+") as file:
        def tell(stop, end):
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            end = int((file.read().split() or [0, end])[1])
            file.truncate(0)
            file.write("%d %d\n" % (min(stop, end), end))
            file.flush()
            fcntl.flock(file, fcntl.LOCK_UN)
            return end
        yield tell


def work(start, end, speed, tell):
    """Sleeps through the range; where it ended."""
    at = time.time()
    while True:
        block = max(1, int(speed(at) * BLOCK))
        end = tell(start + block, end)
        if start >= end:
            return end
        block = min(block, end - start)
        at += block / speed(at)
        time.sleep(max(0, at - time.time()))
        start += block


def main(words):
    report = words[0] == "--report"
    start, end = (int(word) for word in words[-3:-1])
    with open(os.path.join(os.path.dirname(sys.argv[0]), "cluster.json")) as file:
        cluster = json.load(file)
    cards = [slot for slot in cluster["slots"] if slot["node"] == os.uname().nodename]
    number, _lock = card(len(cards))
    time.sleep(cluster["overhead"])
    with progress(os.environ["MUSTER_RANGE"] if report else None) as tell:
        end = work(start, end, lambda at: rate(cards[number], at - cluster["began"]), tell)
    with open(words[-1], "w") as file:
        json.dump({"start": start, "end": end}, file)


main(sys.argv[1:])
