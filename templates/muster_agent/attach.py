"""The process in the connection: finds the run's daemon, or starts it, and gives it stdin and stdout; or ends what is left of both."""
import array
import errno
import fcntl
import json
import os
import socket
import sys

from .clean import clean
from .guard import AccessError, check_run_folder, check_server, check_socket
from .trouble import explain

NO_PERMISSION = 77  # EX_NOPERM of sysexits.h


def main(words):
    """The exit status of a command line."""
    root = os.path.expanduser(words[1]) if len(words) == 2 else ""
    if words[:1] not in (["attach"], ["clean"]) or not os.path.isabs(root):
        sys.stderr.write("usage: attach|clean ROOT   (ROOT: the run's folder, absolute or in ~)\n")
        return 64
    root = os.path.normpath(root)
    try:
        if words[0] == "clean":
            clean(root)
        else:
            check_run_folder(root)
            make_folders(root)
            check_run_folder(root)
            attach(root)
    except AccessError as error:
        # One line that startAgent() of executor/run/node/handshake.ts reads.
        sys.stderr.write("muster-refused " + json.dumps({"reason": str(error), "next": error.next}) + "\n")
        return NO_PERMISSION
    except OSError as error:
        sys.stderr.write(explain(error, "muster agent") + "\n")
        return 1
    return 0


def make_folders(root):
    """The run's folder and those above it, for nobody else's eyes where they are new."""
    usual = os.umask(0o077)
    os.makedirs(os.path.join(root, "store"), exist_ok=True)
    os.umask(usual)


def attach(root):
    """Gives our stdin and stdout to the run's daemon and waits until it lets go of them."""
    os.chdir(root)
    lock = os.open("agent.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    link = knock()
    if link is None:
        start_daemon(root)
        link = knock()
    os.close(lock)
    if link is None:
        raise OSError(errno.ECONNREFUSED, "the agent does not answer", os.path.join(root, "agent.sock"))
    link.sendmsg([b"attach"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1]))])
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    link.recv(1)


def knock():
    """A connection to the daemon of this folder, or None. AccessError where it is not this user's daemon."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        check_socket("agent.sock")
        link.connect("agent.sock")
    except (FileNotFoundError, ConnectionRefusedError):
        link.close()
        return None
    check_server(link, "agent.sock")
    return link


def start_daemon(root):
    """Starts the daemon and waits until it listens; OSError when it does not come up."""
    from .daemon import serve  # only here: an attach to a running daemon is quick, and does not depend on its version

    ready, told = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        try:
            become_daemon(told)
            serve(root, told)
        except BaseException:
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(1)
    os.close(told)
    os.wait()
    came_up = os.read(ready, 1)
    os.close(ready)
    if not came_up:
        raise OSError(errno.ECHILD, "the agent did not start; see agent.log", root)


def become_daemon(keep):
    """Lets go of everything that belongs to the connection."""
    null = os.open("/dev/null", os.O_RDWR)
    log = os.open("agent.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, null), (1, null), (2, log)):
        os.dup2(source, target)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != keep:
            try:
                os.close(int(name))
            except OSError:
                pass
