"""The end of everything of a run on this node that can be found without its agent."""
import json
import os
import sys

from .rootwatch import GONE
from .strays import end_all


def clean(root):
    """Ends the agents and chunks of the run folder `root`, and prints a line of JSON (executor/run/node/strays.ts): how many
    processes it ended, which do not die, and what is at `root` (null: nothing). Deletes nothing."""
    found, alive = end_all(root)
    report = {"ended": len(found - alive), "alive": sorted(alive), "root": state_of(root)}
    sys.stdout.write(json.dumps({"muster_clean": report}) + "\n")


def state_of(root):
    """A folder that cannot be looked at is not gone."""
    try:
        os.lstat(root)
    except OSError as error:
        return None if error.errno in GONE else "it cannot be looked at: " + error.strerror
    return "it is still there"
