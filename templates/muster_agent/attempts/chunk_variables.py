"""The environment that describes a chunk to its program (docs/worker-protocol.md)."""
from __future__ import annotations

import json
import os
from time import monotonic as now

from ..state.state_folder import state_path
from ..wire import to_bytes
from .failure_file import failure_path
from .progress import progress_path
from .range_file import range_path
from .reported_values import values_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .attempt import Attempt
    from .spec import Spec

CHUNK_VARIABLES = frozenset(
    b"MUSTER_" + name
    for name in (b"ATTEMPT", b"CHUNK", b"RANGE", b"PROGRESS", b"VALUES", b"FAILURE", b"OUT", b"TRY", b"START", b"END", b"PARAMS", b"INPUTS", b"DEADLINE", b"STATE")
)
MAX_INPUTS_BYTES = 64 << 10  # the kernel limits a variable to 128 KiB; longer lists are left out


def describe_chunk(root: str, attempt: Attempt) -> dict[bytes, bytes]:
    """What differs between attempts. `root`: the run's folder. The attempt's working directory has been entered."""
    folder = os.path.join(root, attempt.folder)
    spec, details = attempt.program, attempt.details
    variables = {
        b"MUSTER_ATTEMPT": to_bytes(attempt.id),
        b"MUSTER_CHUNK": to_bytes(attempt.chunk),
        b"MUSTER_RANGE": os.fsencode(range_path(folder)),
        b"MUSTER_PROGRESS": os.fsencode(progress_path(folder)),
        b"MUSTER_VALUES": os.fsencode(values_path(folder)),
        b"MUSTER_FAILURE": os.fsencode(failure_path(folder)),
        b"MUSTER_OUT": os.fsencode(folder + "/work") if spec.directory is not None else os.getcwdb(),
        b"MUSTER_TRY": b"%d" % details.get("try", 1),
    }
    if "range" in details:
        start, end = details["range"]
        variables.update({b"MUSTER_START": to_bytes(start), b"MUSTER_END": to_bytes(end)})
    params = details.get("params", spec.params)
    if params is not None:
        variables[b"MUSTER_PARAMS"] = to_bytes(params)
    inputs = list_inputs(folder, spec)
    if inputs is not None:
        variables[b"MUSTER_INPUTS"] = inputs
    if spec.state is not None:
        variables[b"MUSTER_STATE"] = os.fsencode(state_path(folder))
    if spec.timeout is not None:
        variables[b"MUSTER_DEADLINE"] = b"%.3f" % (now() + spec.timeout)
    return variables


def list_inputs(folder: str, spec: Spec) -> bytes | None:
    """The paths of the inputs as JSON: relative to the working directory, or absolute where that is a folder of the node."""
    if spec.input_count == 0:
        return None
    paths = list(spec.files)[-spec.input_count :]
    if spec.directory is not None:
        shown = [os.path.join(folder, "work", os.fsdecode(path)) for path in paths]
    elif spec.cwd == b"":
        shown = [os.fsdecode(path) for path in paths]
    else:  # below "/" relpath does not ask for the working directory
        shown = [os.fsdecode(os.path.relpath(b"/" + path, b"/" + spec.cwd)) for path in paths]
    text = to_bytes(json.dumps(shown))
    return text if len(text) <= MAX_INPUTS_BYTES else None
