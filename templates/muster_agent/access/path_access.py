"""Which other users could replace or change what lies at a path.

Imports nothing of muster: templates/probe.py gets the source of this file, too.
"""
from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator

    Problem = Dict[str, Any]

MAX_LINKS = 40  # the kernel's own limit
ROOT = 0


def find_problems(path: str, uid: int, exclusive: bool = False) -> list[Problem]:
    """Why a user other than root and `uid` could replace what lies at `path`, as dicts with the keys `path` (the folder or link
    at fault), `fault`, `fix` and `final` (whether it is `path` itself and not a folder above it). Where nothing lies at `path`
    yet, only the folders above it are checked. A folder that everyone may write to is safe where the sticky bit prevents
    renaming; with `exclusive`, nobody else may write to `path` itself at all. OSError where a part of the path cannot be
    examined. Access control lists are not examined."""
    final = os.path.realpath(path)
    checked = [(part, check_entry(part, status, uid, exclusive and part == final)) for part, status in walk_path(path)]
    return [dict(problem, final=part == final) for part, problem in checked if problem]


def walk_path(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every folder and link on the way to `path`, with its status, as far as they exist."""
    rest, here, links = split_path(path), "/", 0
    yield here, os.lstat(here)
    while rest:
        part = rest.pop()
        if part == "..":
            here = os.path.dirname(here)
            continue
        child = os.path.join(here, part)
        try:
            status = os.lstat(child)
        except FileNotFoundError:
            return
        yield child, status
        if not stat.S_ISLNK(status.st_mode):
            here = child
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(child)
        rest.extend(split_path(target))
        if target.startswith("/"):
            here = "/"


def split_path(path: str) -> list[str]:
    """The parts of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def check_entry(path: str, status: os.stat_result, uid: int, exclusive: bool = False) -> Problem | None:
    """The problem of one folder, link, file or socket (without `final`), or None where it is safe."""
    if status.st_uid not in (ROOT, uid) and not is_unmapped(status.st_uid):
        return {"path": path, "fault": "belongs to " + format_user(status.st_uid), "fix": "have root remove it, or change its owner"}
    if stat.S_ISLNK(status.st_mode):
        return None
    writers, mode = find_writers(status, uid)
    if writers is None or (status.st_mode & stat.S_ISVTX and stat.S_ISDIR(status.st_mode) and not exclusive):
        return None
    fault = "is writable by " + writers
    if stat.S_ISDIR(status.st_mode) and not exclusive:
        fault += " and has no sticky bit"
    return {"path": path, "fault": fault, "fix": "run `chmod {} {}`".format(mode, path)}


def find_writers(status: os.stat_result, uid: int) -> tuple[str | None, str | None]:
    """Who other than root and `uid` may write there, and the mode for chmod that prevents it; (None, None) where nobody may."""
    others, group = status.st_mode & stat.S_IWOTH, status.st_mode & stat.S_IWGRP
    if group and is_private_group(status.st_gid, uid):
        group = 0
    mode = ("g" if group else "") + ("o" if others else "") + "-w"
    if others:
        return "everyone", mode
    return ("group " + format_group(status.st_gid), mode) if group else (None, None)


def is_private_group(gid: int, uid: int) -> bool:
    """Whether nobody but root and the user is in a group. Debian makes such a group for each user, and a umask of 002 then lets
    it write. A directory service need not list the users that have a group as their primary one, so a group that merely looks
    empty counts as private only where it has the user's name or lists the user."""
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


def is_unmapped(uid: int) -> bool:
    """Whether an owner has no user in this user namespace, so that no process in the namespace can act as the owner."""
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


def format_user(uid: int) -> str:
    import pwd

    try:
        return "{} (uid {})".format(pwd.getpwuid(uid).pw_name, uid)
    except KeyError:
        return "uid {}".format(uid)


def format_group(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
