"""What a lock is for: its file's name, its abstract socket's name, and its name in messages."""
from __future__ import annotations

import hashlib
import os
import re

# Not in /dev/shm: logind removes a user's files there when the last session ends (RemoveIPC), and agents outlive sessions.
USER_FOLDER = "/var/tmp/muster-{}"
# Replaces USER_FOLDER, so that runs are apart that would otherwise share this machine: test/lab/ sets it.
FOLDER_VARIABLE = "MUSTER_LOCK_FOLDER"
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
CPU_SLOT = re.compile(r"cpu-([0-9]+)\Z")


class LockName:
    """`file`: the name of its files, without their endings. `address`: of its abstract socket. `noun`: what it locks, in the
    plural. Agents from before there were locks of other things use the same names for GPUs."""

    def __init__(self, file: str, address: str, noun: str, scope: str):
        self.file, self.noun = file, noun
        self.is_cpu = bool(CPU_SLOT.match(file))
        self.address = "\0muster/{}/{}".format(scope, address).encode()


def slot_lock_name(name: str, boot: str) -> LockName:
    """Of a slot, as `open` names its lock: `cpu-3` is a CPU slot, and any other name is a GPU's. ValueError where it is unsafe."""
    if not SAFE_NAME.match(name):
        raise ValueError("unsafe name of a lock: " + repr(name))
    if CPU_SLOT.match(name):
        return LockName(name, name, "CPU slots", scope_of(boot))
    return LockName("gpu-" + name, "gpu/" + name, "GPUs", scope_of(boot))


def permit_lock_name(index: int, boot: str) -> LockName:
    """Of one of the permits of `max_concurrent`."""
    name = "permit-{}".format(index)
    return LockName(name, name, "permits of max_concurrent", scope_of(boot))


def user_folder() -> str:
    """The folder of this user's lock files."""
    return os.environ.get(FOLDER_VARIABLE) or USER_FOLDER.format(os.geteuid())


def scope_of(boot: str) -> str:
    """Part of the abstract names: runs with other lock folders must not meet there either."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:32] if folder else boot
