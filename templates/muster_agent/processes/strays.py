"""Processes of a run that no agent looks after: their agent was killed, or its folder was deleted."""
from __future__ import annotations

import os
import signal
import time
from time import monotonic as now

from .process_table import DEATH_SECONDS, kill, list_pids, parent_of, session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable

TERM_SECONDS = 3.0  # for an agent to end its own processes, which it knows better


def kill_earlier_agents(root: str) -> None:
    """Ends agents that were started for an earlier folder at `root`, with all their processes, and waits for that. For a new
    agent there: the processes that wait to attach to it stay."""
    kill_found(root, detached_agents)


def kill_all(root: str) -> tuple[set[int], set[int]]:
    """The same, and the processes that attach to agents, too. Returns the pids that were found, and those that do not die."""
    return kill_found(root, find_agents)


def kill_found(root: str, find: Callable[[str], set[int]]) -> tuple[set[int], set[int]]:
    root = os.path.normpath(root)
    found = signal_all(find(root), signal.SIGTERM)
    deadline = now() + TERM_SECONDS
    while found and find(root) and now() < deadline:
        time.sleep(0.01)
    deadline = now() + DEATH_SECONDS
    while True:
        alive = with_descendants(find(root)) | find_attempt_processes(root)
        found |= alive
        if not alive or now() >= deadline:
            return found, alive
        signal_all(alive, signal.SIGKILL)
        time.sleep(0.01)


def signal_all(pids: Iterable[int], number: int) -> set[int]:
    for pid in pids:
        kill(pid, number)
        kill(pid, signal.SIGCONT)  # so that a stopped process gets it, too
    return set(pids)


def find_agents(root: str) -> set[int]:
    """This user's agents of the run folder `root`, and the processes that attach to them, by their command line."""
    return {pid for pid in own_pids() if is_agent_command(command_line(pid), root)}


def detached_agents(root: str) -> set[int]:
    """The agents that have left the connection that started them: the leader of their session is gone."""
    return {pid for pid in find_agents(root) if not os.path.exists("/proc/{}".format(session_of(pid)))}


def is_agent_command(words: list[bytes], root: str) -> bool:
    if len(words) < 4 or words[-4] != b"-c" or words[-2] != b"attach":
        return False
    return os.path.normpath(os.path.expanduser(os.fsdecode(words[-1]))) == root


def find_attempt_processes(root: str) -> set[int]:
    """This user's processes that were started as attempts of the run, by their environment."""
    variable = b"MUSTER_ROOT=" + os.fsencode(root)
    return {pid for pid in own_pids() if variable in read_words("/proc/{}/environ".format(pid))}


def with_descendants(pids: set[int]) -> set[int]:
    """These processes with their descendants. An agent adopts orphans, so none of its processes is missing while it lives."""
    children: dict[int | None, list[int]] = {}
    for pid in list_pids() if pids else []:
        children.setdefault(parent_of(pid), []).append(pid)
    pending, found = list(pids), set(pids)
    while pending:
        fresh = set(children.get(pending.pop(), ())) - found
        found |= fresh
        pending.extend(fresh)
    return found


def own_pids() -> list[int]:
    return [pid for pid in list_pids() if is_own(pid)]


def is_own(pid: int) -> bool:
    try:
        return os.stat("/proc/{}".format(pid)).st_uid == os.geteuid()
    except OSError:
        return False


def command_line(pid: int) -> list[bytes]:
    return read_words("/proc/{}/cmdline".format(pid))


def read_words(path: str) -> list[bytes]:
    """The words of a file of /proc; none where the process has ended or may not be examined."""
    try:
        with open(path, "rb") as file:
            return file.read().rstrip(b"\0").split(b"\0")
    except OSError:
        return []
