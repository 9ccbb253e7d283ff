"""Holds the lock by which one provision at a time changes a node, and knows the last one that succeeded. Python 3.8+.

    python3 -c THIS SECONDS     waits that long at most; each message is a line of JSON on stdout that begins {"muster_hold": 1,

The kernel drops the lock when this ends, however it ends; it ends with its stdin. A line of JSON on stdin, {"playbooks": [...]},
records that these succeeded since this boot. The folder lies in /dev/shm, so it is empty after a reboot.
"""
import fcntl
import json
import os
import signal
import stat
import sys

FOLDER = "/dev/shm/muster-{}".format(os.geteuid())
LOCK = os.path.join(FOLDER, "lock")
MARKER = os.path.join(FOLDER, "provisioned.json")


class Late(Exception):
    pass


def say(state, **more):
    sys.stdout.write("\n" + json.dumps(dict({"muster_hold": 1, "state": state}, **more)) + "\n")
    sys.stdout.flush()


def private_folder():
    try:
        os.mkdir(FOLDER, 0o700)
    except FileExistsError:
        pass
    status = os.lstat(FOLDER)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise OSError("{} belongs to somebody else; remove it".format(FOLDER))


def late(*_):
    raise Late


def lock(seconds):
    """Waits for the lock; the file may be removed and made again while we wait."""
    signal.signal(signal.SIGALRM, late)
    told = False
    while True:
        private_folder()
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                say("waiting")
                signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
                told = True
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            same = os.fstat(descriptor).st_ino == os.stat(LOCK).st_ino
        except FileNotFoundError:
            same = False
        if same:
            signal.setitimer(signal.ITIMER_REAL, 0)
            return descriptor
        os.close(descriptor)


def boot():
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def succeeded():
    """The playbooks that succeeded since this boot."""
    try:
        with open(MARKER) as file:
            marker = json.load(file)
        return [str(one) for one in marker["playbooks"]] if marker["boot"] == boot() else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def record(playbooks):
    temporary = MARKER + ".new"
    with open(temporary, "w") as file:
        json.dump({"boot": boot(), "playbooks": sorted(set(succeeded()) | set(playbooks))}, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, MARKER)


def main():
    try:
        descriptor = lock(float(sys.argv[1]))
        say("held", playbooks=succeeded())
        for line in sys.stdin:
            record(json.loads(line)["playbooks"])
            say("recorded")
        os.close(descriptor)
    except Late:
        say("busy")
    except (OSError, ValueError, KeyError) as error:
        say("error", reason=getattr(error, "strerror", None) or str(error))


main()
