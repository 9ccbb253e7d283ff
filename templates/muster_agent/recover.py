"""What an agent that was killed left here."""
import os

from .removal import remove_tree


def recover(ledger, processes):
    """Takes it over: its results are kept, its processes are not. What it had started and not finished is reported as lost."""
    os.makedirs("a", 0o700, exist_ok=True)
    left = set(os.listdir("a"))
    results, starts = ledger.journal.read()
    launching = ledger.launching.read()
    starts.update((id, launching[id]) for id in launching.keys() - starts.keys() - results.keys())
    unfinished = left - results.keys()
    if unfinished:
        processes.kill_attempts(unfinished, [start.get("process") for start in starts.values()])
    for id, (record, line) in results.items():
        if id in left:
            attempt = ledger.adopt(record, id)
            attempt.line, attempt.agent_died = line, record.get("agentDied") is True
    for id in unfinished:
        remove_tree("a/" + id)
        if id in starts:
            keep_place("a/" + id)
            attempt = ledger.adopt(starts[id], id)
            attempt.agent_died = processes.is_of_this_boot(starts[id].get("process"))
            message = attempt.done("the agent on the node was killed while this ran")
            ledger.keep(attempt, dict(message, lost=True, agentDied=attempt.agent_died))
    ledger.commit()


def keep_place(folder):
    """Leaves an empty folder until the loss is acknowledged, so that an agent after us reports it too if nobody heard us."""
    try:
        os.mkdir(folder, 0o700)
    except OSError:
        pass
