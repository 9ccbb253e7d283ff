"""What a warm worker reads about a chunk, in the attempt's folder: chunk.json, and chunk.sh for shells."""
from __future__ import annotations

import json
import os

from .chunk_variables import CHUNK_VARIABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .attempt import Attempt

NAMES = ("chunk.json", "chunk.sh")


def write_chunk_files(folder: str, attempt: Attempt, variables: dict[bytes, bytes]) -> None:
    """`folder`: absolute. The attempt's working directory has been entered. OSError where they cannot be written."""
    env = {os.fsdecode(name): os.fsdecode(value) for name, value in variables.items()}
    clear = sorted(os.fsdecode(name) for name in CHUNK_VARIABLES - variables.keys())
    described = {"cwd": os.getcwd(), "args": attempt.args, "env": env, "clear": clear}
    write(folder + "/chunk.json", json.dumps(described))
    lines = [
        "cd {} || exit".format(quote(os.getcwd())),
        "exec >>{} 2>>{}".format(quote(folder + "/out"), quote(folder + "/err")),
        # A program of this shell that uses the library computes this chunk only.
        "unset " + " ".join(["MUSTER_DESCRIPTORS", *clear]),
        "export " + " ".join("{}={}".format(name, quote(value)) for name, value in env.items()),
        "set -- " + " ".join(quote(word) for word in attempt.args),
    ]
    write(folder + "/chunk.sh", "\n".join(filter(None, lines)) + "\n")


def write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
