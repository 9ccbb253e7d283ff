"""Contents of staged files, in store/ by SHA-256."""
from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import os
import re

from .shared_content import SharedContent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Digest = Any  # of hashlib

SHA256 = re.compile(r"[0-9a-f]{64}\Z")
FICLONE = 0x40049409  # ioctl: share the blocks of another file, copied on write (btrfs, XFS, bcachefs)
NO_CLONE_ERRORS = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY)
BLOCK_BYTES = 1 << 20
SECOND_NS = 1_000_000_000


class MissingContent(Exception):
    """A content that the coordinator takes for stored is not there."""

    def __init__(self, sha256: str):
        super().__init__(sha256)
        self.sha256 = sha256


class ContentStore:
    """`errors`: why a content could not be stored, by its SHA-256."""

    def __init__(self, root: str):
        self.folder = os.path.join(root, "store")
        self.errors: dict[str, OSError] = {}
        self.shared: dict[str, SharedContent] = {}  # those that working copies link to
        self.digests: dict[str, Digest] = {}  # of contents that have arrived in part

    def put(self, sha256: str, data: str, offset: int, is_last: bool) -> None:
        """Stores a piece of a content, in base64; pieces come in order. The content is there once its last piece has come and its
        SHA-256 is right. Where that fails, `path` raises the error."""
        if not SHA256.match(sha256):
            raise ValueError("no SHA-256")
        partial = os.path.join(self.folder, sha256 + ".part")
        try:
            self._append(sha256, partial, base64.b64decode(data), offset)
            if is_last:
                self._finish(sha256, partial)
        except OSError as error:
            self.digests.pop(sha256, None)
            self.errors[sha256] = error

    def _append(self, sha256: str, partial: str, data: bytes, offset: int) -> None:
        if offset == 0:
            self.errors.pop(sha256, None)
            self.digests[sha256] = hashlib.sha256()
        elif sha256 not in self.digests:
            return  # an earlier piece could not be stored
        with open(partial, "ab" if offset else "wb") as file:
            file.write(data)
        self.digests[sha256].update(data)

    def _finish(self, sha256: str, partial: str) -> None:
        digest = self.digests.pop(sha256, None)
        if digest is None:
            return
        if digest.hexdigest() != sha256:
            raise OSError(errno.EIO, "what arrived has another SHA-256", sha256)
        self._store(partial, sha256)

    def _store(self, partial: str, sha256: str) -> None:
        """Gives a file whose SHA-256 is right its name. Its modification time shows from then on whether somebody has written to it."""
        status = os.stat(partial)
        mtime_ns = stamped(status.st_mtime_ns, sha256)
        os.utime(partial, ns=(mtime_ns, mtime_ns))
        os.replace(partial, os.path.join(self.folder, sha256))

    def take(self, sha256: str, size_bytes: int) -> bool:
        """Stores what was uploaded as SHA256.sent if it has this SHA-256, and removes it otherwise. True where the content is stored.
        Reads all of it, unless it is stamped: call it in the worker thread. OSError where it cannot be read or stored."""
        sent = os.path.join(self.folder, sha256 + ".sent")
        try:
            digest = hash_path(sent)
        except FileNotFoundError:
            return self.has(sha256, size_bytes)
        if digest == (size_bytes, sha256):
            self.errors.pop(sha256, None)
            self._store(sent, sha256)
            return True
        os.unlink(sent)
        return False

    def _verify(self, sha256: str) -> bool:
        """Stamps a content that has no stamp, if it is what its name says."""
        path = os.path.join(self.folder, sha256)
        try:
            if hash_path(path)[1] != sha256:
                self._remove(path)
                return False
            self._store(path, sha256)
        except OSError:
            return False
        return True

    def has(self, sha256: str, size_bytes: int) -> bool:
        """Whether a content is there as it was stored: by its stamp, or else by its SHA-256."""
        try:
            status = os.stat(os.path.join(self.folder, sha256))
        except OSError:
            return False
        if status.st_size != size_bytes:
            return False
        return status.st_mtime_ns == stamped(status.st_mtime_ns, sha256) or self._verify(sha256)

    def path(self, sha256: str) -> str:
        """The path of a content. OSError where it could not be stored, MissingContent where it is not there."""
        if sha256 in self.errors:
            raise self.errors[sha256]
        shared = self.shared.get(sha256)
        if shared and shared.is_changed():
            self.discard(sha256)
        path = os.path.join(self.folder, sha256)
        if not os.path.exists(path):
            raise MissingContent(sha256)
        return path

    def add_copy(self, sha256: str, source: str) -> bool:
        """Stores a copy of a file of this node. False, and nothing is stored, where it is not there or has another SHA-256."""
        partial = os.path.join(self.folder, sha256 + ".copy")
        self._remove(partial)
        try:
            if copy_and_hash(source, partial)[1] != sha256:
                return False
            self._store(partial, sha256)
            self.errors.pop(sha256, None)
            return True
        except FileNotFoundError as error:
            if error.filename != source:
                raise
            return False
        finally:
            self._remove(partial)

    def share(self, sha256: str, mode: int) -> SharedContent | None:
        """The content, read-only, for links to it. None where links with another mode exist. OSError and MissingContent as `path`."""
        path = self.path(sha256)
        if sha256 not in self.shared:
            self.shared[sha256] = SharedContent(path, mode)
        shared = self.shared[sha256]
        return shared if shared.mode == mode else None

    def discard(self, sha256: str) -> None:
        """Removes a content that is not what its name says."""
        self.shared.pop(sha256, None)
        self._remove(os.path.join(self.folder, sha256))

    def _remove(self, path: str) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass

    def read(self, sha256: str) -> bytes:
        with open(self.path(sha256), "rb") as file:
            return file.read()


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


def stamped(mtime_ns: int, sha256: str) -> int:
    """The time with a fraction of a second that only the content of this name has: whoever writes to a file changes its time."""
    return mtime_ns // SECOND_NS * SECOND_NS + int(sha256[:12], 16) % SECOND_NS


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
