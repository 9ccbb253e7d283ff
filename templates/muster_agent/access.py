"""Who else could replace or change what lies at a path.

Imports nothing of muster, since probe.py gets the source of this file as well.
"""
import errno
import os
import stat

MAX_LINKS = 40  # the kernel's own limit
ROOT = 0


def find_problems(path, uid, exclusive=False):
    """Why someone other than root and `uid` could replace what lies at `path`, as dicts: `path` (of the folder or link at fault),
    `fault`, `fix`, `final` (whether it is `path` itself and not what leads there). Where nothing lies there yet, only what is above it counts. A folder that all may write to is safe where the
    sticky bit keeps them from renaming; with `exclusive`, nobody else may write to `path` itself at all. OSError where a part
    cannot be examined. Access control lists are not examined."""
    final = os.path.realpath(path)
    judged = [(part, judge(part, status, uid, exclusive and part == final)) for part, status in walk(path)]
    return [dict(problem, final=part == final) for part, problem in judged if problem]


def walk(path):
    """Every folder and link on the way to `path`, with its status, as far as they exist."""
    rest, here, links = split(path), "/", 0
    yield here, os.lstat(here)
    while rest:
        part = rest.pop()
        if part == "..":
            here = os.path.dirname(here)
            continue
        there = os.path.join(here, part)
        try:
            status = os.lstat(there)
        except FileNotFoundError:
            return
        yield there, status
        if not stat.S_ISLNK(status.st_mode):
            here = there
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(there)
        rest.extend(split(target))
        if target.startswith("/"):
            here = "/"


def split(path):
    """The parts of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def judge(path, status, uid, exclusive=False):
    """The problem of one folder, link, file or socket, as find_problems has it; None where it is safe."""
    if status.st_uid not in (ROOT, uid) and not is_unmapped(status.st_uid):
        return {"path": path, "fault": "belongs to " + user_text(status.st_uid), "fix": "have root remove it, or change its owner"}
    if stat.S_ISLNK(status.st_mode):
        return None
    writers, mode = find_writers(status, uid)
    if writers is None or (status.st_mode & stat.S_ISVTX and stat.S_ISDIR(status.st_mode) and not exclusive):
        return None
    fault = "is writable by " + writers
    if stat.S_ISDIR(status.st_mode) and not exclusive:
        fault += " and has no sticky bit"
    return {"path": path, "fault": fault, "fix": "run `chmod {} {}`".format(mode, path)}


def find_writers(status, uid):
    """Who but root and `uid` may write there, and the chmod mode that ends it; (None, None) where nobody may."""
    others, group = status.st_mode & stat.S_IWOTH, status.st_mode & stat.S_IWGRP
    if group and is_private_group(status.st_gid, uid):
        group = 0
    mode = ("g" if group else "") + ("o" if others else "") + "-w"
    if others:
        return "everyone", mode
    return ("group " + group_text(status.st_gid), mode) if group else (None, None)


def is_private_group(gid, uid):
    """Whether nobody but root and the user is in a group. Debian makes such a group for each user, and a umask of 002 then lets
    it write. A directory service need not list who has a group as their primary one, so a group that merely looks empty counts
    only where it has the user's name, or lists the user."""
    import grp
    import pwd

    if gid == ROOT:
        return True
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = None
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return gid == uid
    members = set(group.gr_mem) | {user.pw_name for user in pwd.getpwall() if user.pw_gid == gid}
    return members <= {name, "root"} and (group.gr_name == name or name in group.gr_mem)


def is_unmapped(uid):
    """Whether an owner is nobody in this user namespace, so that no process in it can act as the owner."""
    try:
        with open("/proc/sys/kernel/overflowuid") as file:
            overflow = int(file.read())
        if uid != overflow:
            return False
        with open("/proc/self/uid_map") as file:
            ranges = [[int(word) for word in line.split()] for line in file]
    except (OSError, ValueError):
        return False
    return not any(first <= overflow < first + count for first, _, count in ranges)


def user_text(uid):
    import pwd

    try:
        return "{} (uid {})".format(pwd.getpwuid(uid).pw_name, uid)
    except KeyError:
        return "uid {}".format(uid)


def group_text(gid):
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
