"""Declared outputs of an attempt that has ended."""
import base64
import errno
import hashlib
import os
import stat

BIG_FILE = 1 << 20  # larger ones are hashed in the helper thread
TOO_LARGE = "it has {} bytes, more than the {} that the job allows (limits.output)"


def collect(attempt, inline):
    """Notes outputs and what is missing; returns (path, open descriptor) of those too big to be hashed here. OSError where one
    cannot be read or is larger than the job allows: nothing is made of the others then."""
    big = []
    try:
        for path, name in attempt.spec.outputs:
            fd = open_output(attempt.folder + "/work", name)
            if fd is None:
                attempt.missing.append(path)
                continue
            big.append((path, fd))
            size = os.fstat(fd).st_size
            if size > attempt.spec.limit:
                raise OSError(errno.EFBIG, TOO_LARGE.format(size, attempt.spec.limit), path)
            if size <= BIG_FILE:
                attempt.outputs.append(describe(path, os.read(fd, size), inline))
                os.close(big.pop()[1])
    except OSError:
        for _, fd in big:
            os.close(fd)
        raise
    return big


def describe(path, data, inline):
    entry = {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if len(data) <= inline:
        entry["data"] = base64.b64encode(data).decode()
    return entry


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
