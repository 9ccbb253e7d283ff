"""Many small contents that were uploaded as one file."""
from __future__ import annotations

import os
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from .content_store import ContentStore

BLOCK_BYTES = 1 << 20


class PackReader:
    """Reads a pack from its start; memory is bounded by the size of the largest content, not by that of the pack."""

    def __init__(self, file: IO[bytes], is_deflated: bool):
        self.file = file
        self.inflater = zlib.decompressobj() if is_deflated else None
        self.input = b""

    def read(self, size_bytes: int) -> bytes:
        """So many bytes; fewer where the pack ends. zlib.error where it is damaged."""
        if self.inflater is None:
            return self.file.read(size_bytes)
        parts: list[bytes] = []
        while size_bytes > 0:
            self.input = self.input or self.file.read(BLOCK_BYTES)
            part = self.inflater.decompress(self.input, size_bytes)
            self.input = self.inflater.unconsumed_tail
            if not part and not self.input and self.inflater.eof:
                break
            if not part and not self.input and self.file.tell() == os.fstat(self.file.fileno()).st_size:
                break
            parts.append(part)
            size_bytes -= len(part)
        return b"".join(parts)


def unpack(store: ContentStore, sha256: str, files: list[tuple[str, int]], is_deflated: bool) -> bool:
    """Stores the contents of the pack that was uploaded as SHA256.sent, and removes it. False where something else arrived. OSError
    where a content cannot be stored."""
    path = os.path.join(store.folder, sha256 + ".sent")
    try:
        with open(path, "rb") as file:
            reader = PackReader(file, is_deflated)
            return all(store.add(content, reader.read(size_bytes)) for content, size_bytes in files)
    except zlib.error:
        return False
    finally:
        os.unlink(path)
