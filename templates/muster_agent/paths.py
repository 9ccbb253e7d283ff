"""Paths that come from the protocol, and copies of files."""
from __future__ import annotations

import os

from .wire import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    Path = Union[str, bytes]


def parse_relative(path: str) -> bytes:
    """The normalized path as bytes. ValueError where it could lead out of the working directory."""
    name = to_bytes(path)
    if not name or name.startswith(b"/") or b".." in name.split(b"/") or b"\0" in name:
        raise ValueError("unsafe path " + repr(path))
    return os.path.normpath(name)


def copy_file(source: Path, target: Path, mode: int) -> None:
    """Copies to a temporary name and renames, so that a partial copy is never taken for the file."""
    partial = os.fsencode(target) + b".part"
    with open(source, "rb") as reader, open(partial, "wb") as writer:
        for block in iter(lambda: reader.read(1 << 20), b""):
            writer.write(block)
        os.fchmod(writer.fileno(), mode)
    os.rename(partial, os.fsencode(target))
