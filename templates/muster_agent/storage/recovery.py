"""Takes over what an agent that was killed left in the run's folder."""
from __future__ import annotations

import os

from ..in_place.set_aside import has_record, restore_all
from ..workspace.tree_removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..processes.process_table import ProcessTable
    from .outbox import Outbox


def recover(outbox: Outbox, processes: ProcessTable) -> list[str]:
    """Keeps its results, kills its processes, puts back what its attempts had set aside, and reports the attempts that it started and
    did not finish as lost. Returns which files could not be put back."""
    os.makedirs("a", 0o700, exist_ok=True)
    folders = set(os.listdir("a"))
    results, starts = outbox.journal.read()
    launching = outbox.launch_log.read()
    starts.update((id, launching[id]) for id in launching.keys() - starts.keys() - results.keys())
    unfinished = folders - results.keys()
    if unfinished or os.path.isdir("w"):
        processes.kill_attempts(unfinished, [start.get("process") for start in starts.values()])
    problems = restore_all(".")
    for id, (record, line) in results.items():
        if id in folders:
            attempt = outbox.adopt(record, id)
            attempt.line, attempt.agent_died = line, record.get("agentDied") is True
    for id in unfinished:
        if not has_record("a/" + id):
            remove_tree("a/" + id)
        if id in starts:
            make_empty_folder("a/" + id)
            attempt = outbox.adopt(starts[id], id)
            attempt.agent_died = processes.is_from_this_boot(starts[id].get("process"))
            message = attempt.result_message("the agent was killed while this attempt ran")
            outbox.keep(attempt, dict(message, lost=True, agentDied=attempt.agent_died))
    outbox.commit()
    return problems


def make_empty_folder(folder: str) -> None:
    """Keeps the attempt known until its loss is acknowledged: an agent after this one must report it, too."""
    try:
        os.mkdir(folder, 0o700)
    except OSError:
        pass
