"""Copies and hashes of files."""
from __future__ import annotations

import errno
import fcntl
import hashlib
import os

FICLONE = 0x40049409  # ioctl: share the blocks of another file, copied on write (btrfs, XFS, bcachefs)
NO_CLONE_ERRORS = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY)
NO_LINK_ERRORS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)
BLOCK_BYTES = 1 << 20


def copy_file(source: str, target: bytes, mode: int) -> None:
    """Makes a copy that shares no inode with the source; blocks are shared where the file system can copy them on write."""
    with FilePair(source, target, mode) as (reader, writer):
        if share_blocks(reader, writer):
            return
        copy_bytes(reader, writer)


def copy_bytes(reader: int, writer: int) -> None:
    """Copies all that can be read."""
    while True:
        block = os.read(reader, BLOCK_BYTES)
        if not block:
            return
        view = memoryview(block)
        while view:
            view = view[os.write(writer, view) :]  # fmt: skip


def copy_and_hash(source: str, target: str) -> tuple[int, str]:
    """Makes a copy; returns its size and SHA-256. OSError where the source is a link, or the target exists."""
    if os.path.islink(source):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), source)
    copy_file(source, os.fsencode(target), 0o600)
    with open(target, "rb") as file:
        return hash_file(file.fileno())


def hash_file(fd: int) -> tuple[int, str]:
    """(size, SHA-256) of all that can be read."""
    digest = hashlib.sha256()
    offset = 0
    while True:
        block = os.pread(fd, BLOCK_BYTES, offset)
        if not block:
            return offset, digest.hexdigest()
        digest.update(block)
        offset += len(block)


def hash_path(path: str) -> tuple[int, str]:
    """(size, SHA-256) of a regular file that is no link."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return hash_file(fd)
    finally:
        os.close(fd)


def clone_file(source: str, target: bytes, mode: int) -> bool:
    """The same, but only where blocks can be shared: otherwise it makes nothing, and returns False."""
    with FilePair(source, target, mode) as (reader, writer):
        is_shared = share_blocks(reader, writer)
    if not is_shared:
        os.unlink(target)
    return is_shared


class FilePair:
    """Descriptors of a file to read and of a new one with this mode. The new one is removed where the block raises."""

    def __init__(self, source: str, target: bytes, mode: int):
        self.source, self.target, self.mode = source, target, mode

    def __enter__(self) -> tuple[int, int]:
        self.reader = os.open(self.source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.writer = os.open(self.target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError:
            os.close(self.reader)
            raise
        return self.reader, self.writer

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                os.fchmod(self.writer, self.mode)
            else:
                os.unlink(self.target)
        finally:
            os.close(self.writer)
            os.close(self.reader)


def share_blocks(reader: int, writer: int) -> bool:
    """Makes the empty file a reflink. False where the file system cannot."""
    try:
        fcntl.ioctl(writer, FICLONE, reader)
        return True
    except OSError as error:
        if error.errno not in NO_CLONE_ERRORS:
            raise
        return False


def link(source: str, target: str | bytes) -> bool:
    """Makes a hard link. False where the file system has none."""
    try:
        os.link(source, target)
        return True
    except OSError as error:
        if error.errno not in NO_LINK_ERRORS:
            raise
        return False
