"""Puts one file or folder in its place on a node. Python 3.8+, standard library only; nothing else is stored there.

    python3 -c THIS      stdin: a line of JSON, then the file's bytes      stdout: a line of JSON, {"muster_place": 1, ...}

A reader sees the old file or the new one, whenever this ends: tmp + fsync + rename, in the same folder.
"""
import grp
import hashlib
import json
import os
import pwd
import secrets
import stat
import sys

BLOCK = 1 << 20


class Refused(Exception):
    pass


def home():
    uid = os.environ.get("SUDO_UID")
    if uid and uid.isdigit() and os.geteuid() == 0:
        return pwd.getpwuid(int(uid)).pw_dir
    return os.path.expanduser("~")


def look(path):
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def ids(owner):
    """user or user:group -> uid, gid; -1 where nothing is said."""
    if owner is None:
        return -1, -1
    user, _, group = owner.partition(":")
    try:
        uid = int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
        gid = -1 if not group else int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise Refused("there is no user or group " + owner)
    return uid, gid


def make_folders(path, mode):
    missing = []
    while look(path) is None:
        missing.append(path)
        path = os.path.dirname(path)
    for folder in reversed(missing):
        os.mkdir(folder, 0o700)
        os.chmod(folder, mode)
        sync_folder(os.path.dirname(folder))


def sync_folder(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give(descriptor, status, uid, gid):
    """Changes the owner where it is another one."""
    uid = status.st_uid if uid == -1 else uid
    gid = status.st_gid if gid == -1 else gid
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (uid, gid):
        os.fchown(descriptor, uid, gid)


def place_folder(job, path):
    make_folders(os.path.dirname(path), 0o755)
    if look(path) is None:
        os.mkdir(path, 0o700)
        job.setdefault("mode", 0o755)
    elif not stat.S_ISDIR(look(path).st_mode):
        raise Refused("something else is where the folder should be; move it away")
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        give(descriptor, os.fstat(descriptor), *ids(job.get("owner")))
        if job.get("mode") is not None:
            os.fchmod(descriptor, job["mode"])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(os.path.dirname(path))


def place_file(job, path):
    folder, name = os.path.split(path)
    if not name:
        raise Refused("its name ends in /")
    old = look(path)
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise Refused("a folder is where the file should be; move it away")
    if old is not None and not (stat.S_ISREG(old.st_mode) or stat.S_ISLNK(old.st_mode)):
        raise Refused("a device, pipe or socket is where the file should be; move it away")
    if old is not None and not stat.S_ISREG(old.st_mode):
        old = None
    make_folders(folder, job.get("folders") or 0o755)
    prefix = ".muster-" + hashlib.sha256(os.fsencode(name)).hexdigest()[:16] + "-"
    for left in os.listdir(folder):
        if left.startswith(prefix):
            os.unlink(os.path.join(folder, left))
    temporary = os.path.join(folder, prefix + secrets.token_hex(4))
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fill(descriptor, job)
        uid, gid = ids(job.get("owner"))
        try:
            give(descriptor, old or os.fstat(descriptor), uid, gid)
        except PermissionError:
            raise Refused("its owner cannot be kept or set without root")
        mode = job.get("mode")
        os.fchmod(descriptor, mode if mode is not None else stat.S_IMODE(old.st_mode) if old else 0o644)
        os.fsync(descriptor)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        os.close(descriptor)
    sync_folder(folder)


def fill(descriptor, job):
    digest, left = hashlib.sha256(), job["size"]
    while left > 0:
        part = sys.stdin.buffer.read(min(BLOCK, left))
        if not part:
            raise Refused("the connection ended before the whole file had come")
        left -= len(part)
        digest.update(part)
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]
    if digest.hexdigest() != job["sha256"]:
        raise Refused("the file changed while it was being sent")


def main():
    job = json.loads(sys.stdin.buffer.readline())
    path = job["path"]
    path = home() + path[1:] if path == "~" or path.startswith("~/") else path
    try:
        (place_folder if job["kind"] == "folder" else place_file)(job, path)
        said = {"muster_place": 1}
    except Refused as error:
        said = {"muster_place": 1, "error": "REFUSED", "reason": str(error)}
    except (OSError, ValueError) as error:
        name = getattr(error, "errno", None)
        said = {"muster_place": 1, "error": errno_name(name), "reason": getattr(error, "strerror", None) or str(error)}
    sys.stdout.write("\n" + json.dumps(said) + "\n")


def errno_name(number):
    import errno

    return errno.errorcode.get(number, "FILE")


main()
