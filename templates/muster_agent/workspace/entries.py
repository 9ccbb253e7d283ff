"""Files of folders that anybody may change at the same time: links are never followed."""
from __future__ import annotations

import errno
import os
import stat

from .file_content import copy_bytes

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NO_LINKS = "a folder on the way to it is a link or no folder, and links are not followed there"


class Parent:
    """A descriptor of the folder that a relative path lies in, and the last name of the path. `make`: missing folders are made.
    FileNotFoundError where there is no such folder, OSError where it cannot be reached without links."""

    def __init__(self, top: bytes, path: bytes, make: bool = False):
        *folders, self.name = path.split(b"/")
        self.fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                self._enter(folder, make)
        except OSError as error:
            os.close(self.fd)
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise OSError(error.errno, NO_LINKS, os.path.join(top, path))
            raise

    def _enter(self, folder: bytes, make: bool) -> None:
        if make:
            try:
                os.mkdir(folder, 0o755, dir_fd=self.fd)
            except FileExistsError:
                pass
        inner = os.open(folder, FOLDER_FLAGS, dir_fd=self.fd)
        os.close(self.fd)
        self.fd = inner

    def __enter__(self) -> Parent:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def status(self) -> os.stat_result | None:
        """Of what lies at the path, without following it; None where nothing does."""
        try:
            return os.stat(self.name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None


def find_entry(top: bytes, path: bytes) -> os.stat_result | None:
    """The status of what lies at `path` below `top`; None where nothing does. OSError where it cannot be reached without links."""
    try:
        with Parent(top, path) as parent:
            return parent.status()
    except FileNotFoundError:
        return None


def move(source: Parent, target: Parent) -> None:
    """Moves a regular file or a link over what is at the target, also to another file system. It is on disk at its new place before
    it is gone from the old one."""
    try:
        os.rename(source.name, target.name, src_dir_fd=source.fd, dst_dir_fd=target.fd)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy(source, target)
        os.fsync(target.fd)
        os.unlink(source.name, dir_fd=source.fd)
    os.fsync(target.fd)
    os.fsync(source.fd)


def copy(source: Parent, target: Parent) -> None:
    """Makes a copy beside the target, and renames it. One that a killed agent left is replaced: its name is always the same."""
    partial = b".muster-moving-" + target.name[:200]
    try:
        os.unlink(partial, dir_fd=target.fd)
    except FileNotFoundError:
        pass
    status = os.stat(source.name, dir_fd=source.fd, follow_symlinks=False)
    try:
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(source.name, dir_fd=source.fd), partial, dir_fd=target.fd)
        else:
            copy_content(source, partial, target.fd)
        os.rename(partial, target.name, src_dir_fd=target.fd, dst_dir_fd=target.fd)
    except OSError:
        unlink_if_there(partial, target.fd)
        raise


def copy_content(source: Parent, name: bytes, folder: int) -> None:
    """Copies a regular file with its permissions, owner and times, and waits until the copy is on disk."""
    reader = os.open(source.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source.fd)
    writer = None
    try:
        writer = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
        copy_bytes(reader, writer)
        copy_metadata(os.fstat(reader), writer)
        os.fsync(writer)
    finally:
        os.close(reader)
        if writer is not None:
            os.close(writer)


def copy_metadata(status: os.stat_result, writer: int) -> None:
    try:
        os.fchown(writer, status.st_uid, status.st_gid)
    except PermissionError:
        pass  # the copy belongs to this user
    os.fchmod(writer, stat.S_IMODE(status.st_mode))
    os.utime(writer, ns=(status.st_atime_ns, status.st_mtime_ns))


def unlink_if_there(name: bytes, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass
