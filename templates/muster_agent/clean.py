"""Ends what is left of a run on this node without its agent."""
from __future__ import annotations

import json
import os
import sys

from .in_place.set_aside import restore_all
from .processes.strays import kill_all
from .storage.root_watch import NOT_FOUND


def clean(root: str) -> None:
    """Kills the agents and chunks of the run folder `root`, and prints a line of JSON (executor/run/node/strays.ts): `ended`, the
    number of processes that it killed; `alive`, those that do not die; `root`, the state of the folder. It deletes nothing, but
    puts back files that attempts had set aside."""
    found, alive = kill_all(root)
    for problem in restore_all(root):
        sys.stderr.write(problem + "\n")
    report = {"ended": len(found - alive), "alive": sorted(alive), "root": folder_state(root)}
    sys.stdout.write(json.dumps({"muster_clean": report}) + "\n")


def folder_state(root: str) -> str | None:
    """None where there is no folder. One that cannot be examined may still be there."""
    try:
        os.lstat(root)
    except OSError as error:
        return None if error.errno in NOT_FOUND else "it cannot be examined: {}".format(error.strerror)
    return "it is still there"
