"""Refuses run folders and sockets with which other users could interfere."""
from __future__ import annotations

import os
import socket
import stat
import struct

from .path_access import ROOT, check_entry, find_problems, format_user


class AccessError(Exception):
    """Another user could interfere, or does. `next`: what to do about it."""

    def __init__(self, message: str, next: str):
        super().__init__(message)
        self.next = next


def check_run_folder(root: str) -> None:
    """AccessError where other users could replace the run's folder or write to it."""
    for problem in find_problems(root, os.geteuid(), exclusive=True):
        raise AccessError(
            "{path} {fault}: others could replace the run's folder {0}".format(root, **problem),
            "On the node, {fix}; or set another `workdir` for it in the inventory.".format(**problem),
        )


def check_socket(path: str) -> None:
    """AccessError where what lies at `path` is not a socket of this user, or others may write to it."""
    status = os.lstat(path)
    problem = check_entry(path, status, os.geteuid(), exclusive=True)
    if problem:
        raise socket_error(path, problem["fault"])
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
        raise socket_error(path, "is not a socket of this user")


def check_server(connection: socket.socket, path: str) -> None:
    """AccessError where another user listens at the socket at `path`."""
    uid, pid = peer_of(connection)
    if uid != os.geteuid():
        raise socket_error(path, "is served by {}, pid {}".format(format_user(uid), pid))


def may_attach(connection: socket.socket) -> bool:
    """Whether the process that connected to the agent's socket belongs to the same user, or to root."""
    return peer_of(connection)[0] in (ROOT, os.geteuid())


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """(uid, pid) of the process that called connect() or listen() at the other end. The pid is 0 where it is in another pid
    namespace."""
    pid, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid, pid


def socket_error(path: str, fault: str) -> AccessError:
    message = "the agent's socket {} {}".format(os.path.abspath(path), fault)
    return AccessError(message, "Find out on the node who made it, then remove it.")
