"""Paths that come from the protocol."""
from __future__ import annotations

import os

from .wire import to_bytes


def parse_relative(path: str) -> bytes:
    """The normalized path as bytes. ValueError where it could lead out of the working directory."""
    name = to_bytes(path)
    if not name or name.startswith(b"/") or b".." in name.split(b"/") or b"\0" in name:
        raise ValueError("unsafe path " + repr(path))
    return os.path.normpath(name)

