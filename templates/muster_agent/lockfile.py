"""Lock files of GPUs: flock decides, so that the kernel releases a lock however its holder ends."""
import errno
import fcntl
import os
import re
import stat

from .access import ROOT, find_problems

# Not in /dev/shm: logind removes a user's files there when the last session ends (RemoveIPC), and agents outlive sessions.
USER_FOLDER = "/var/tmp/muster-{}"
# The playbook gpu-locks makes it; playbooks/gpu-locks.ts has the same path.
SYSTEM_FOLDER = "/var/lib/muster/gpu-locks"
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
ATTEMPTS = 8  # the file may be removed and made again while we lock it
FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class LockFile:
    """One lock file. A file that is missing or not to be trusted locks nothing; `report` is told why it is not to be trusted."""

    def __init__(self, folder, name, report):
        if not SAFE_NAME.match(name):
            raise ValueError("unsafe name of a GPU: " + repr(name))
        self.folder, self.path, self.report = folder, os.path.join(folder, "gpu-{}.lock".format(name)), report
        self.fd = None

    def acquire(self):
        """False where another process has the lock."""
        try:
            for _ in range(ATTEMPTS):
                fd = self.open()
                if fd is None:
                    return True
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(fd)
                    return False
                if is_at(fd, self.path):
                    self.fd = fd
                    return True
                os.close(fd)
        except OSError as error:
            self.report("{}: {}; GPUs are locked without it".format(self.path, error.strerror))
            return True
        return False

    def release(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def open(self):
        """A descriptor of the file; None where there is no file to lock."""
        raise NotImplementedError

    def is_trusted(self, uid):
        """Whether only root and `uid` can change what is in the folder."""
        for problem in find_problems(self.folder, uid, exclusive=True):
            self.report("{path} {fault}: GPUs are locked without it; {fix}".format(**problem))
            return False
        return True


class UserLock(LockFile):
    """In the user's own folder, for all runs of the user. The file and the folder are gone when nobody has a lock."""

    def __init__(self, name, report):
        super().__init__(USER_FOLDER.format(os.geteuid()), name, report)
        self.socket_path = self.path[: -len("lock")] + "sock"

    def open(self):
        for _ in range(ATTEMPTS):
            try:
                os.mkdir(self.folder, 0o700)
            except FileExistsError:
                pass
            if not self.is_trusted(os.geteuid()):
                return None
            try:
                return os.open(self.path, os.O_RDWR | os.O_CREAT | FLAGS, 0o600)
            except FileNotFoundError:  # another run has just removed the folder
                continue
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)

    def release(self):
        if self.fd is None:
            return
        try:
            if is_at(self.fd, self.path):
                os.unlink(self.path)
            super().release()
            os.rmdir(self.folder)
        except OSError:
            super().release()


class SystemLock(LockFile):
    """In a folder that only root can write to, for all users of the node. It is optional."""

    def __init__(self, name, report):
        super().__init__(SYSTEM_FOLDER, name, report)

    def open(self):
        try:
            fd = os.open(self.path, os.O_RDONLY | FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return None
        status = os.fstat(fd)
        if self.is_trusted(ROOT) and status.st_uid == ROOT and stat.S_ISREG(status.st_mode):
            return fd
        os.close(fd)
        return None


def is_at(fd, path):
    """Whether the open file is the one that is at `path` now."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def lock_owner(path):
    """(uid, pid) of the process that has the flock of a file; None where the kernel does not tell."""
    try:
        status = os.stat(path)
        device = "{:02x}:{:02x}".format(os.major(status.st_dev), os.minor(status.st_dev))
        with open("/proc/locks") as file:
            rows = [line.split() for line in file if " FLOCK " in line and "->" not in line]
        pids = {row[5].rpartition(":")[0]: int(row[4]) for row in rows if row[5].rpartition(":")[2] == str(status.st_ino)}
        # An overlay shows another device than the kernel's list.
        pid = pids.get(device) or (list(pids.values())[0] if len(pids) == 1 else 0)
        return (os.stat("/proc/{}".format(pid)).st_uid, pid) if pid > 0 else None
    except (OSError, ValueError, IndexError):
        return None
