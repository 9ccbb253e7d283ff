"""What an agent that was killed left here."""
import os

from .removal import remove_tree


def recover(ledger, processes):
    """Takes it over: its results are kept, its processes are not."""
    os.makedirs("a", 0o700, exist_ok=True)
    left = set(os.listdir("a"))
    results, starts = ledger.journal.read()
    unfinished = left - results.keys()
    if unfinished:
        processes.kill_attempts(unfinished, [start.get("process") for start in starts.values()])
    for id, (record, line) in results.items():
        if id in left:
            ledger.adopt(record, id).line = line
    for id in unfinished:
        remove_tree("a/" + id)
        if id in starts:
            attempt = ledger.adopt(starts[id], id)
            ledger.keep(attempt, dict(attempt.done("the agent on the node was killed while this ran"), lost=True))
    ledger.commit()
