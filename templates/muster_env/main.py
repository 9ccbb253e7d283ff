"""Looks at a Python environment on a node, or makes it. Python 3.8+, standard library only, Linux.

    python3 -c THIS inspect REQUEST     REQUEST: JSON (playbooks/pythonenv/envrequest.ts)
    python3 -c THIS build               the first line of stdin is the request; it stops when its stdin ends
    stdout: a line of JSON, {"muster_env": 1, ...}

`at` is a symbolic link to a folder beside it. A venv cannot be moved, so it is built at its final path and the link is replaced:

    .NAME-DIGEST[-N]            an environment; muster-env.json in it is written last
    .NAME-DIGEST[-N].partial    it is being made or removed: what lies there without muster-env.json may be deleted
    .NAME.lock, .NAME.log       the lock of builders, and what the last build printed
    .NAME-wheels, .NAME-project copies of the coordinator's folders
"""
from __future__ import annotations

import json
import os
import sys
import threading

from .builder import Builder
from .environment import Environment
from .failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read_line() -> bytes:
    """The first line of stdin, and not a byte more."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(1)
        line += byte
    return bytes(line)


def answer(words: list[str]) -> dict[str, Any]:
    if words[:1] == ["inspect"]:
        return Environment(json.loads(words[1])).inspect()
    builder = Builder(Environment(json.loads(read_line())))
    threading.Thread(target=builder.watch_stdin, daemon=True).start()
    return builder.build()


def main(words: list[str]) -> None:
    state: dict[str, Any]
    try:
        state = answer(words)
    except Failure as failure:
        state = failure.answer
    except OSError as error:
        code = "NO_SPACE" if error.errno in (28, 122) else "FILE"
        state = {"error": code, "reason": "{}: {}".format(error.filename or "a file", error.strerror), "tail": []}
    sys.stdout.write("\n" + json.dumps(dict(state, muster_env=1)) + "\n")
    sys.stdout.flush()
    os._exit(0)  # a thread may still wait for stdin
