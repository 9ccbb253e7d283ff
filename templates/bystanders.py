"""Prints who would lose work if this node were rebooted: runs, logged-in users, programs that compute on GPUs. Python 3.8+.

    python3 -IS - [FOLDER...]    with this text on stdin, as root: only root sees which files the processes of others have open

FOLDER: names of run folders that do not count. Prints a line of JSON: `runs` (names of run folders), `idle` (those that have only their
agent there, and no chunk), `users` (`NAME on TERMINAL`), `gpu` (`pid N (name)`), `provisions` (how many provisions change the node).
"""
from __future__ import annotations

import json
import os
import pwd
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

# Programs that compute have one of these open. Display servers and monitors have not.
GPU_DEVICES = ("/dev/kfd", "/dev/nvidia-uvm")
TTY_MAJOR, FIRST_PTS_MAJOR, LAST_PTS_MAJOR = 4, 136, 143
# What waits for a log-in on a terminal is no user.
LOGIN_PROGRAMS = ("agetty", "getty", "login", "mingetty", "sulogin")
SESSIONS = "/run/systemd/sessions"
GRAPHICAL_TYPES = ("x11", "wayland", "mir")


def list_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def read_bytes(path: str) -> bytes:
    """Nothing where the process has ended."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def command_name(pid: int) -> str:
    return read_bytes("/proc/{}/comm".format(pid)).decode("utf-8", "replace").strip()


def agent_of(pid: int) -> str | None:
    """The name of the run folder of an agent."""
    words = read_bytes("/proc/{}/cmdline".format(pid)).rstrip(b"\0").split(b"\0")
    if len(words) >= 4 and words[-4] == b"-c" and words[-2] == b"attach":
        return os.path.basename(os.path.normpath(os.fsdecode(words[-1])))
    return None


def run_of(pid: int) -> str | None:
    """The name of the run folder of a program that an agent started."""
    for word in read_bytes("/proc/{}/environ".format(pid)).split(b"\0"):
        if word.startswith(b"MUSTER_ROOT="):
            return os.path.basename(os.path.normpath(os.fsdecode(word[len(b"MUSTER_ROOT=") :])))
    return None


def is_provision(pid: int) -> bool:
    """Whether a process holds the lock of a provision (templates/node_lock.py), or waits for it."""
    return b'"muster_hold"' in read_bytes("/proc/{}/cmdline".format(pid))


def user_of(pid: int) -> str | None:
    """Who sits at the terminal of a process, in a window of tmux, too; None where it has no terminal."""
    fields = read_bytes("/proc/{}/stat".format(pid)).rpartition(b")")[2].split()
    if len(fields) < 5 or fields[0] == b"Z":
        return None
    terminal = int(fields[4])
    major, minor = terminal >> 8 & 0xFFF, terminal & 0xFF | terminal >> 12 & 0xFFF00
    if major == TTY_MAJOR and command_name(pid) not in LOGIN_PROGRAMS:
        return describe_user(pid, "tty{}".format(minor))
    if FIRST_PTS_MAJOR <= major <= LAST_PTS_MAJOR:
        return describe_user(pid, "pts/{}".format((major - FIRST_PTS_MAJOR) * 256 + minor))
    return None


def describe_user(pid: int, terminal: str) -> str | None:
    try:
        return "{} on {}".format(name_user(os.stat("/proc/{}".format(pid)).st_uid), terminal)
    except OSError:
        return None


def name_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "uid {}".format(uid)


def list_graphical_users() -> Iterator[str]:
    """The users of desktops, as systemd-logind records them."""
    try:
        names = os.listdir(SESSIONS)
    except OSError:
        return
    for name in names:
        text = read_bytes(os.path.join(SESSIONS, name)).decode("utf-8", "replace")
        session = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        if session.get("TYPE") in GRAPHICAL_TYPES and session.get("CLASS") == "user" and session.get("STATE") != "closing":
            yield "{} on {}".format(session.get("USER") or "?", session.get("DISPLAY") or "a desktop")


def uses_gpu(pid: int) -> bool:
    folder = "/proc/{}/fd".format(pid)
    try:
        return any(read_link(os.path.join(folder, name)) in GPU_DEVICES for name in os.listdir(folder))
    except OSError:
        return False


def read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def find_bystanders(own: set[str]) -> dict[str, list[str] | int]:
    agents: set[str] = set()
    busy: set[str] = set()
    users = set(list_graphical_users())
    gpu: list[str] = []
    provisions = 0
    for pid in list_pids():
        agent = agent_of(pid)
        run = None if agent is not None else run_of(pid)
        if agent is not None:
            agents.add(agent)
        if run is not None:
            busy.add(run)
        if agent is not None or run is not None:
            continue
        provisions += is_provision(pid)
        user = user_of(pid)
        if user is not None:
            users.add(user)
        if uses_gpu(pid):
            gpu.append("pid {} ({})".format(pid, command_name(pid)))
    runs, idle = (agents | busy) - own, agents - busy - own
    return {"runs": sorted(runs), "idle": sorted(idle), "users": sorted(users), "gpu": gpu, "provisions": provisions}


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps({"muster_bystanders": 1, **find_bystanders(set(sys.argv[1:]))}) + "\n")
