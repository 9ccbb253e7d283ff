"""Declared outputs of an attempt that has ended."""
import base64
import hashlib
import os
import stat

BIG_FILE = 1 << 20  # larger ones are hashed in the helper thread


def collect(attempt, inline):
    """Notes outputs and what is missing; returns (path, open descriptor) of those too big to be hashed here."""
    big = []
    for path, name in attempt.spec.outputs:
        fd = open_output(attempt.folder + "/work", name)
        if fd is None:
            attempt.missing.append(path)
            continue
        if os.fstat(fd).st_size > BIG_FILE:
            big.append((path, fd))
            continue
        data = os.read(fd, 2 * BIG_FILE)
        os.close(fd)
        entry = {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        if len(data) <= inline:
            entry["data"] = base64.b64encode(data).decode()
        attempt.outputs.append(entry)
    return big


def open_output(work, name):
    """A descriptor of a regular file reached without any link, or None."""
    fd = None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        *parents, last = name.split(b"/")
        for part in [os.fsencode(work)] + parents:
            inner = os.open(part, flags | os.O_DIRECTORY, dir_fd=fd)
            if fd is not None:
                os.close(fd)
            fd = inner
        file = os.open(last, flags, dir_fd=fd)
    except OSError:
        return None
    finally:
        if fd is not None:
            os.close(fd)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None


def hash_file(fd):
    """(size, SHA-256) of all that can be read."""
    digest = hashlib.sha256()
    offset = 0
    while True:
        block = os.pread(fd, 1 << 20, offset)
        if not block:
            return offset, digest.hexdigest()
        digest.update(block)
        offset += len(block)
