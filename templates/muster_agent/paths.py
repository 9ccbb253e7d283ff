"""Paths that the protocol names, and files."""
import os

from .wire import raw


def relative(path):
    """A path that stays inside the working directory, as bytes."""
    name = raw(path)
    if not name or name.startswith(b"/") or b".." in name.split(b"/") or b"\0" in name:
        raise ValueError("unsafe path " + repr(path))
    return os.path.normpath(name)


def copy_file(source, target, mode):
    """Copies by way of a temporary name, so that a half copy is never taken for a whole one."""
    partial = os.fsencode(target) + b".part"
    with open(source, "rb") as reader, open(partial, "wb") as writer:
        for block in iter(lambda: reader.read(1 << 20), b""):
            writer.write(block)
        os.fchmod(writer.fileno(), mode)
    os.rename(partial, os.fsencode(target))
