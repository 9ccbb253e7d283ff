"""Durable writes, removal, and what processes use."""
from __future__ import annotations

import os
import shutil


def is_in_use(folder: str) -> bool:
    """Whether a process of this user runs in the environment, by its command line and its variables."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for file in ("cmdline", "environ"):
            try:
                with open("/proc/{}/{}".format(pid, file), "rb") as words:
                    if os.fsencode(folder) + b"/" in words.read():
                        return True
            except OSError:
                pass
    return False


def remove_tree(folder: str) -> None:
    if os.path.lexists(folder):
        shutil.rmtree(folder)


def write_durably(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
