"""Memory of the node and of processes, in bytes."""
from __future__ import annotations

import os

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def read_meminfo() -> tuple[int, int] | tuple[None, None]:
    """(total, available) of the node; (None, None) where the kernel does not say."""
    found: dict[bytes, int] = {}
    try:
        with open("/proc/meminfo", "rb") as file:
            for line in file:
                name, _, value = line.partition(b":")
                if name in (b"MemTotal", b"MemAvailable"):
                    found[name] = int(value.split()[0]) << 10
        return found[b"MemTotal"], found[b"MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        return None, None


def read_pressure() -> float:
    """Percentage of the last ten seconds in which every process waited for memory (PSI, "full avg10"); 0 without PSI."""
    try:
        with open("/proc/pressure/memory", "rb") as file:
            for line in file:
                if line.startswith(b"full avg10="):
                    return float(line.split()[1][6:])
    except (OSError, ValueError, IndexError):
        pass
    return 0.0


def tree_resident_bytes(leader: int) -> int:
    """Resident memory of a process and its descendants."""
    return resident_bytes(process_tree(leader))


def process_tree(leader: int) -> list[int]:
    """The pids of a process and its descendants."""
    found, pending = [leader], [leader]
    while pending:
        pid = pending.pop()
        try:
            with open("/proc/{0}/task/{0}/children".format(pid), "rb") as file:
                children = [int(child) for child in file.read().split()]
        except (OSError, ValueError):
            continue
        found += children
        pending += children
    return found


def resident_bytes(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        try:
            with open("/proc/{}/statm".format(pid), "rb") as file:
                total += int(file.read().split()[1]) * PAGE_BYTES
        except (OSError, ValueError, IndexError):
            continue
    return total
