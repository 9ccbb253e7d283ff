"""Processes of a run that nobody in the run's folder looks after: of agents whose folder was deleted, or that were killed."""
import os
import signal
import time
from time import monotonic as now

from .processes import DEATH_SECONDS, every_pid, kill, parent_of, session_of

TERM_SECONDS = 3.0  # for an agent to end what it runs, which it knows better than we do


def end_predecessors(root):
    """Ends the agents of earlier folders at `root` with all that they run, and waits for that. For a new agent in that folder:
    who waits to attach to it stays."""
    end(root, detached_agents)


def end_all(root):
    """The same, with the processes in connections. Returns the process ids of what was found and of what does not die."""
    return end(root, agents)


def end(root, find):
    root = os.path.normpath(root)
    found = signal_all(find(root), signal.SIGTERM)
    deadline = now() + TERM_SECONDS
    while found and find(root) and now() < deadline:
        time.sleep(0.01)
    deadline = now() + DEATH_SECONDS
    while True:
        alive = with_descendants(find(root)) | marked(root)
        found |= alive
        if not alive or now() >= deadline:
            return found, alive
        signal_all(alive, signal.SIGKILL)
        time.sleep(0.01)


def signal_all(pids, number):
    for pid in pids:
        kill(pid, number)
        kill(pid, signal.SIGCONT)  # one that was stopped hears it, too
    return set(pids)


def agents(root):
    """Our user's agents of the run folder `root`, and the processes that attach to them: by their command line."""
    return {pid for pid in own_pids() if attaches_to(words_of(pid), root)}


def detached_agents(root):
    """Those that have let go of the connection that started them: with it went the leader of their session."""
    return {pid for pid in agents(root) if not os.path.exists("/proc/{}".format(session_of(pid)))}


def attaches_to(words, root):
    if len(words) < 4 or words[-4] != b"-c" or words[-2] != b"attach":
        return False
    return os.path.normpath(os.path.expanduser(os.fsdecode(words[-1]))) == root


def marked(root):
    """Our user's processes that were started as chunks of the run."""
    mark = b"MUSTER_ROOT=" + os.fsencode(root)
    return {pid for pid in own_pids() if mark in read_words("/proc/{}/environ".format(pid))}


def with_descendants(pids):
    """An agent adopts what its chunks leave behind, so that these are all of them while it lives."""
    children = {}
    for pid in every_pid() if pids else []:
        children.setdefault(parent_of(pid), []).append(pid)
    pending, found = list(pids), set(pids)
    while pending:
        fresh = set(children.get(pending.pop(), ())) - found
        found |= fresh
        pending.extend(fresh)
    return found


def own_pids():
    return [pid for pid in every_pid() if is_own(pid)]


def is_own(pid):
    try:
        return os.stat("/proc/{}".format(pid)).st_uid == os.geteuid()
    except OSError:
        return False


def words_of(pid):
    return read_words("/proc/{}/cmdline".format(pid))


def read_words(path):
    """None of a process that has ended, or that may not be looked at."""
    try:
        with open(path, "rb") as file:
            return file.read().rstrip(b"\0").split(b"\0")
    except OSError:
        return []
