"""Two runs that want the same card."""

import json
import os
from typing import List, Tuple

from .memory import task, tasks
from .outcome import expect
from .suite import Suite

CHUNKS = 6


def check_sharing(suite: Suite) -> str:
    """Never two chunks at once, and both runs end."""
    notes = os.path.join(suite.muster.folder, "turns")
    commands = []
    for run in ("first", "second"):
        chunks = [task("{}-{}".format(run, number), "turn", notes) for number in range(CHUNKS)]
        commands.append(suite.muster.start("run", suite.muster.write_job(run, tasks(*chunks))))
    for command in commands:
        result = command.wait()
        expect(result.status == 0, "exit {}: {}".format(result.status, result.last_lines()))
    turns = read_turns(notes)
    expect(len(turns) == 2 * CHUNKS, "{} of {} chunks ran".format(len(turns), 2 * CHUNKS))
    for (_, ended), (begun, _) in zip(turns, turns[1:]):
        expect(begun >= ended, "two chunks had the card at once, for {:.2f} s".format(ended - begun))
    return "{} chunks of two runs, one at a time".format(len(turns))


def read_turns(path: str) -> List[Tuple[float, float]]:
    """When each chunk had the card, in seconds of the monotonic clock."""
    with open(path) as file:
        times = [json.loads(line) for line in file]
    return sorted((one["begun"], one["ended"]) for one in times)
