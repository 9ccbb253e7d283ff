"""Writes one file, or makes one folder, on a node. Python 3.8+, standard library only; nothing else is stored there.

    python3 -c THIS      stdin: a line of JSON, then the file's bytes      stdout: a line of JSON, {"muster_place": 1, ...}

The write is atomic: a temporary file in the same folder, fsync, rename. A reader sees the old file or the new one.
"""
from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import secrets
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    Request = Dict[str, Any]

BLOCK_BYTES = 1 << 20


class Refused(Exception):
    pass


def home() -> str:
    """The home of the user who logged in, also where sudo made this root."""
    uid = os.environ.get("SUDO_UID")
    if uid and uid.isdigit() and os.geteuid() == 0:
        return pwd.getpwuid(int(uid)).pw_dir
    return os.path.expanduser("~")


def status_of(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def parse_owner(owner: str | None) -> tuple[int, int]:
    """(uid, gid) of `user` or `user:group`; -1 for what it does not name. Refused where there is no such user or group."""
    if owner is None:
        return -1, -1
    user, _, group = owner.partition(":")
    try:
        uid = int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
        gid = -1 if not group else int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise Refused("there is no user or group " + owner)
    return uid, gid


def make_folders(path: str, mode: int) -> None:
    """Makes the folder and those above it. Existing ones keep their mode."""
    missing = []
    while status_of(path) is None:
        missing.append(path)
        path = os.path.dirname(path)
    for folder in reversed(missing):
        os.mkdir(folder, 0o700)
        os.chmod(folder, mode)
        sync_folder(os.path.dirname(folder))


def sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_owner(descriptor: int, status: os.stat_result, uid: int, gid: int) -> None:
    """Sets the owner where it differs; -1 stands for the owner in `status`."""
    uid = status.st_uid if uid == -1 else uid
    gid = status.st_gid if gid == -1 else gid
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (uid, gid):
        os.fchown(descriptor, uid, gid)


def place_folder(request: Request, path: str) -> None:
    make_folders(os.path.dirname(path), 0o755)
    status = status_of(path)
    if status is None:
        os.mkdir(path, 0o700)
        request.setdefault("mode", 0o755)
    elif not stat.S_ISDIR(status.st_mode):
        raise Refused("something else is where the folder should be; move it away")
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        set_owner(descriptor, os.fstat(descriptor), *parse_owner(request.get("owner")))
        if request.get("mode") is not None:
            os.fchmod(descriptor, request["mode"])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(os.path.dirname(path))


def place_file(request: Request, path: str) -> None:
    folder, name = os.path.split(path)
    if not name:
        raise Refused("its path ends in /")
    old = status_of(path)
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise Refused("a folder is where the file should be; move it away")
    if old is not None and not (stat.S_ISREG(old.st_mode) or stat.S_ISLNK(old.st_mode)):
        raise Refused("a device, pipe or socket is where the file should be; move it away")
    if old is not None and not stat.S_ISREG(old.st_mode):
        old = None
    make_folders(folder, request.get("folders") or 0o755)
    prefix = ".muster-" + hashlib.sha256(os.fsencode(name)).hexdigest()[:16] + "-"
    for leftover in os.listdir(folder):
        if leftover.startswith(prefix):
            os.unlink(os.path.join(folder, leftover))
    temporary = os.path.join(folder, prefix + secrets.token_hex(4))
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        write_content(descriptor, request)
        uid, gid = parse_owner(request.get("owner"))
        try:
            set_owner(descriptor, old or os.fstat(descriptor), uid, gid)
        except PermissionError:
            raise Refused("its owner cannot be kept or set without root")
        mode = request.get("mode")
        os.fchmod(descriptor, mode if mode is not None else stat.S_IMODE(old.st_mode) if old else 0o644)
        os.fsync(descriptor)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        os.close(descriptor)
    sync_folder(folder)


def write_content(descriptor: int, request: Request) -> None:
    """Copies the content from stdin. Refused where it is not the content that was announced."""
    digest, left = hashlib.sha256(), request["size"]
    while left > 0:
        part = sys.stdin.buffer.read(min(BLOCK_BYTES, left))
        if not part:
            raise Refused("the connection ended before the whole file arrived")
        left -= len(part)
        digest.update(part)
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]
    if digest.hexdigest() != request["sha256"]:
        raise Refused("the file changed while it was being sent")


def main() -> None:
    request = json.loads(sys.stdin.buffer.readline())
    path = request["path"]
    path = home() + path[1:] if path == "~" or path.startswith("~/") else path
    try:
        (place_folder if request["kind"] == "folder" else place_file)(request, path)
        answer: dict[str, Any] = {"muster_place": 1}
    except Refused as error:
        answer = {"muster_place": 1, "error": "REFUSED", "reason": str(error)}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        answer = {"muster_place": 1, "error": errno_name(error), "reason": reason}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


def errno_name(error: Exception) -> str:
    """The symbol of an OSError ("ENOSPC"); FILE for other errors."""
    import errno

    return errno.errorcode.get(getattr(error, "errno", None) or 0, "FILE")


main()
