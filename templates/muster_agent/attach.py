"""The process in the connection: passes its stdin and stdout to the run's daemon, which `attach` starts where there is none. In an
allocation of a batch system the daemon is the batch script (`serve`), and `join` waits for it."""
from __future__ import annotations

import array
import errno
import fcntl
import json
import os
import socket
import sys
import time

from .access.guard import AccessError, check_run_folder, check_server, check_socket
from .cache.cache_command import run_cache_command
from .clean import clean
from .errors import describe_error
from .following.follow import follow
from .gpu.samples import print_samples

EX_USAGE, EX_CANTCREAT, EX_NOPERM = 64, 73, 77  # exit codes of sysexits.h
SOCKET = "agent.sock"
JOIN_SECONDS = 25.0  # less than what the coordinator waits for a reply (executor/run/node/handshake.ts)
JOIN_CHECK_SECONDS = 0.05  # another machine may make the folder: nothing tells of that
USAGE = (
    "usage: attach|join|clean ROOT | serve ROOT WORKDIR LIMIT WARNING KILL | follow ROOT SELECTION | cache WORKDIR show|prune BUDGET | samples SECONDS   (folders: absolute or in ~)\n"
)


def main(words: list[str]) -> int:
    """Does what the words say, as USAGE lists them, and returns the exit code."""
    if words[:1] == ["samples"] and len(words) == 2:
        print_samples(float(words[1]))
    root = os.path.expanduser(words[1]) if len(words) > 1 else ""
    forms = ((["attach"], 2), (["join"], 2), (["serve"], 6), (["clean"], 2), (["follow"], 3), (["cache"], 4))
    if (words[:1], len(words)) not in forms or not os.path.isabs(root):
        sys.stderr.write(USAGE)
        return EX_USAGE
    root = os.path.normpath(root)
    try:
        if words[0] == "clean":
            clean(root)
        elif words[0] == "follow":
            follow(root, json.loads(words[2]))
        elif words[0] == "cache":
            run_cache_command(root, words[2], words[3])
        elif words[0] == "join":
            join(root)
        elif words[0] == "serve":
            serve_allocation(root, words[2], *map(float, words[3:]))
        else:
            check_run_folder(root)
            make_folders(root)
            check_run_folder(root)
            attach(root)
    except AccessError as error:
        # The coordinator parses this line (executor/run/node/handshake.ts).
        sys.stderr.write("muster-refused " + json.dumps({"reason": str(error), "next": error.next}) + "\n")
        return EX_NOPERM
    except OSError as error:
        sys.stderr.write(describe_error(error, "muster agent") + "\n")
        return EX_CANTCREAT if words[0] == "serve" else 1  # 1 is what a line of `setup` may exit with
    return 0


def make_folders(root: str) -> None:
    """Makes the run's folder and those above it. New ones are private to the user."""
    umask = os.umask(0o077)
    os.makedirs(os.path.join(root, "store"), exist_ok=True)
    os.umask(umask)


def attach(root: str) -> None:
    """Passes stdin and stdout to the run's daemon, and waits until it closes the connection. OSError where no daemon answers."""
    os.chdir(root)
    lock = os.open("agent.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    connection = connect()
    if connection is None:
        start_daemon(root)
        connection = connect()
    os.close(lock)
    if connection is None:
        raise OSError(errno.ECONNREFUSED, "the agent does not answer", os.path.join(root, SOCKET))
    hand_over(connection)


def join(root: str) -> None:
    """Passes stdin and stdout to the run's daemon, once there is one. OSError where none has begun to listen in time."""
    deadline = time.monotonic() + JOIN_SECONDS
    connection = None
    while connection is None and time.monotonic() < deadline:
        if os.path.isdir(root):
            check_run_folder(root)
            os.chdir(root)
            connection = connect()
        if connection is None:
            time.sleep(JOIN_CHECK_SECONDS)
    if connection is None:
        message = "no agent listens after {:.0f} s; modules and setup may take longer".format(JOIN_SECONDS)
        raise OSError(errno.ECONNREFUSED, message, os.path.join(root, SOCKET))
    hand_over(connection)


def hand_over(connection: socket.socket) -> None:
    """Gives the daemon stdin and stdout, and waits until it closes the connection."""
    connection.sendmsg([b"attach"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1]))])
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    connection.recv(1)


def connect() -> socket.socket | None:
    """A connection to the daemon of this folder; None where there is none. AccessError where it is not this user's daemon."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        check_socket(SOCKET)
        connection.connect(SOCKET)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    check_server(connection, SOCKET)
    return connection


def serve_allocation(root: str, workdir: str, limit_seconds: float, warning_seconds: float, kill_seconds: float) -> None:
    """Becomes the daemon, and returns only where the allocation has ended meanwhile. The parameters: as of Allocation."""
    from .allocation import Allocation
    from .daemon import serve

    allocation = Allocation(workdir, limit_seconds, warning_seconds, kill_seconds)
    check_run_folder(root)
    if allocation.is_warned:
        return
    make_folders(root)
    check_run_folder(root)
    os.chdir(root)
    ready_fd = os.open("/dev/null", os.O_WRONLY)
    detach(ready_fd)
    serve(root, ready_fd, allocation)


def start_daemon(root: str) -> None:
    """Starts the daemon and waits until it listens. OSError where it does not start."""
    from .daemon import serve  # only here: so attaching to a daemon that runs is quick, and does not depend on its version

    reader, ready_fd = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        try:
            detach(ready_fd)
            serve(root, ready_fd)
        except BaseException:
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(1)
    os.close(ready_fd)
    os.wait()
    is_ready = os.read(reader, 1)
    os.close(reader)
    if not is_ready:
        raise OSError(errno.ECHILD, "the agent did not start; see agent.log", root)


def detach(kept_fd: int) -> None:
    """Closes every descriptor of the connection but `kept_fd`; stderr goes to agent.log."""
    null = os.open("/dev/null", os.O_RDWR)
    log = os.open("agent.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, null), (1, null), (2, log)):
        os.dup2(source, target)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != kept_fd:
            try:
                os.close(int(name))
            except OSError:
                pass
