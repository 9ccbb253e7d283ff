"""Memory of this node and of processes, in bytes."""
import os

PAGE = os.sysconf("SC_PAGE_SIZE")


def meminfo():
    """All of it and what is to be had, or None twice."""
    found = {}
    try:
        with open("/proc/meminfo", "rb") as file:
            for line in file:
                name, _, value = line.partition(b":")
                if name in (b"MemTotal", b"MemAvailable"):
                    found[name] = int(value.split()[0]) << 10
        return found[b"MemTotal"], found[b"MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        return None, None


def pressure():
    """Percent of the last ten seconds in which no process got on; 0 where the kernel does not tell."""
    try:
        with open("/proc/pressure/memory", "rb") as file:
            for line in file:
                if line.startswith(b"full avg10="):
                    return float(line.split()[1][6:])
    except (OSError, ValueError, IndexError):
        pass
    return 0.0


def held_by(leader):
    """What a process and its descendants have resident."""
    total, pids = 0, [leader]
    while pids:
        pid = pids.pop()
        try:
            with open("/proc/{}/statm".format(pid), "rb") as file:
                total += int(file.read().split()[1]) * PAGE
            with open("/proc/{0}/task/{0}/children".format(pid), "rb") as file:
                pids.extend(int(child) for child in file.read().split())
        except (OSError, ValueError, IndexError):
            continue
    return total
