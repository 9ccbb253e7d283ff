"""Contents of staged files, in store/ by SHA-256."""
from __future__ import annotations

import base64
import errno
import hashlib
import os
import re

from .content_stamp import READ_ONLY, is_stamped, stamp
from .file_content import copy_and_hash, copy_file, hash_path
from .shared_content import SharedContent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..cache.content_cache import ContentCache

    Digest = Any  # of hashlib

SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class MissingContent(Exception):
    """A content that the coordinator takes for stored is not there."""

    def __init__(self, sha256: str):
        super().__init__(sha256)
        self.sha256 = sha256


class ContentStore:
    """What this run holds, as links to the contents of the node's cache: they stay when the cache drops them. `errors`: why a
    content could not be stored, by its SHA-256."""

    def __init__(self, root: str, cache: ContentCache):
        self.folder, self.cache = os.path.join(root, "store"), cache
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
        self.cache.publish(sha256, os.path.join(self.folder, sha256))

    def _store(self, partial: str, sha256: str, mode: int = READ_ONLY) -> None:
        """Gives a file whose SHA-256 is right its name."""
        os.chmod(partial, mode)
        stamp(partial, sha256)
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
            self.cache.publish(sha256, os.path.join(self.folder, sha256))
            return True
        os.unlink(sent)
        return False

    def has(self, sha256: str, size_bytes: int | None = None) -> bool:
        """Whether this run holds a content as it was stored, or can take it from the cache. `size_bytes`: None = it is not known. A
        content without a valid stamp is read: call it in the worker thread. OSError where the content of the cache cannot be linked
        or copied."""
        try:
            status = os.lstat(os.path.join(self.folder, sha256))
        except OSError:
            return self._take_from_cache(sha256, size_bytes)
        if size_bytes in (None, status.st_size) and (is_stamped(status, sha256) or self._verify(sha256)):
            return True
        return self._take_from_cache(sha256, size_bytes)

    def add(self, sha256: str, data: bytes) -> bool:
        """Stores a content as a whole. False where it has another SHA-256. OSError where it cannot be stored."""
        if hashlib.sha256(data).hexdigest() != sha256:
            return False
        partial = os.path.join(self.folder, sha256 + ".unpacked")
        try:
            with open(partial, "wb") as file:
                file.write(data)
            self._store(partial, sha256)
        finally:
            self._remove(partial)
        self.errors.pop(sha256, None)
        self.cache.publish(sha256, os.path.join(self.folder, sha256))
        return True

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

    def _take_from_cache(self, sha256: str, size_bytes: int | None) -> bool:
        path = os.path.join(self.folder, sha256)
        partial = path + ".link"
        self._remove(partial)
        try:
            if not self.cache.acquire(sha256, size_bytes, partial):
                return False
            os.replace(partial, path)
        finally:
            self._remove(partial)
        self.errors.pop(sha256, None)
        return True

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
            if not is_stamped(os.lstat(path), sha256) and not self._verify(sha256):
                raise MissingContent(sha256)
            if mode != READ_ONLY:
                self._detach(sha256, path, mode)
            self.shared[sha256] = SharedContent(path)
        shared = self.shared[sha256]
        return shared if shared.mode == mode else None

    def _detach(self, sha256: str, path: str, mode: int) -> None:
        """Replaces the link to the cache, whose contents have one mode for all runs, with a copy that has another mode."""
        partial = path + ".copy"
        self._remove(partial)
        copy_file(path, os.fsencode(partial), mode)
        self._store(partial, sha256, mode)

    def discard(self, sha256: str) -> None:
        """Removes a content that is not what its name says, also from the cache."""
        self.shared.pop(sha256, None)
        self._remove(os.path.join(self.folder, sha256))
        self.cache.discard_changed(sha256)

    def _remove(self, path: str) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass

    def read(self, sha256: str) -> bytes:
        with open(self.path(sha256), "rb") as file:
            return file.read()
