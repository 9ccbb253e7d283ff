"""Lock files. They are locked with flock, so that the kernel releases a lock however its holder ends."""
from __future__ import annotations

import errno
import fcntl
import os
import stat

from ..access.path_access import ROOT, find_problems
from .lock_name import user_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from .lock_name import LockName

# The playbook gpu-locks makes it; playbooks/gpu-locks.ts has the same path.
SYSTEM_FOLDER = "/var/lib/muster/gpu-locks"
MAX_TRIES = 8  # the file may be removed and made again while we lock it
OPEN_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class LockFile:
    """One lock file. A file that is missing or cannot be trusted locks nothing; `report` gets the reason why it is not trusted."""

    def __init__(self, folder: str, name: LockName, report: Callable[[str], object]):
        self.folder, self.path = folder, os.path.join(folder, name.file + ".lock")
        self.noun, self.report = name.noun, report
        self.fd: int | None = None

    def acquire(self) -> bool:
        """False where another process has the lock."""
        try:
            for _ in range(MAX_TRIES):
                fd = self.open()
                if fd is None:
                    return True
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(fd)
                    return False
                if is_same_file(fd, self.path):
                    self.fd = fd
                    return True
                os.close(fd)
        except OSError as error:
            self.report("{}: {}; {} are locked without it".format(self.path, error.strerror, self.noun))
            return True
        return False

    def release(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def open(self) -> int | None:
        """A descriptor of the file; None where there is no file to lock."""
        raise NotImplementedError

    def is_trusted(self, uid: int) -> bool:
        """Whether only root and `uid` can change what is in the folder."""
        for problem in find_problems(self.folder, uid, exclusive=True):
            self.report("{path} {fault}: {0} are locked without it; {fix}".format(self.noun, **problem))
            return False
        return True


class UserLock(LockFile):
    """In the user's own folder, between the runs of this user. File and folder are removed when nobody has a lock."""

    def __init__(self, name: LockName, report: Callable[[str], object]):
        super().__init__(user_folder(), name, report)
        self.socket_path = self.path[: -len("lock")] + "sock"

    def open(self) -> int | None:
        for _ in range(MAX_TRIES):
            try:
                os.mkdir(self.folder, 0o700)
            except FileExistsError:
                pass
            if not self.is_trusted(os.geteuid()):
                return None
            try:
                return os.open(self.path, os.O_RDWR | os.O_CREAT | OPEN_FLAGS, 0o600)
            except FileNotFoundError:  # another run has just removed the folder
                continue
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)

    def release(self) -> None:
        if self.fd is None:
            return
        try:
            if is_same_file(self.fd, self.path):
                os.unlink(self.path)
            super().release()
            os.rmdir(self.folder)
        except OSError:
            super().release()


class SystemLock(LockFile):
    """In a folder that only root can write to, between all users of the node. It is optional."""

    def __init__(self, name: LockName, report: Callable[[str], object]):
        super().__init__(SYSTEM_FOLDER, name, report)

    def open(self) -> int | None:
        try:
            fd = os.open(self.path, os.O_RDONLY | OPEN_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return None
        status = os.fstat(fd)
        if self.is_trusted(ROOT) and status.st_uid == ROOT and stat.S_ISREG(status.st_mode):
            return fd
        os.close(fd)
        return None


def is_same_file(fd: int, path: str) -> bool:
    """Whether the open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def lock_owner(path: str) -> tuple[int, int] | None:
    """(uid, pid) of the process that has the flock of a file; None where the kernel does not say."""
    try:
        status = os.stat(path)
        device = "{:02x}:{:02x}".format(os.major(status.st_dev), os.minor(status.st_dev))
        with open("/proc/locks") as file:
            rows = [line.split() for line in file if " FLOCK " in line and "->" not in line]
        pids = {row[5].rpartition(":")[0]: int(row[4]) for row in rows if row[5].rpartition(":")[2] == str(status.st_ino)}
        # On an overlay file system stat() and /proc/locks show different devices.
        pid = pids.get(device) or (list(pids.values())[0] if len(pids) == 1 else 0)
        return (os.stat("/proc/{}".format(pid)).st_uid, pid) if pid > 0 else None
    except (OSError, ValueError, IndexError):
        return None
