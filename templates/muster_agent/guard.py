"""Refuses folders and sockets in which other users could interfere."""
import os
import socket
import stat
import struct

from .access import ROOT, find_problems, judge, user_text


class AccessError(Exception):
    """Another user could interfere, or does. `next`: what to do about it."""

    def __init__(self, message, next):
        super().__init__(message)
        self.next = next


def check_run_folder(root):
    """AccessError where others could replace the run's folder, or write to it."""
    for problem in find_problems(root, os.geteuid(), exclusive=True):
        raise AccessError(
            "{path} {fault}: others could replace the run's folder {0}".format(root, **problem),
            "On the node, {fix}; or set another `workdir` for it in the inventory.".format(**problem),
        )


def check_socket(path):
    """AccessError where what lies there is not the user's own socket."""
    status = os.lstat(path)
    problem = judge(path, status, os.geteuid(), exclusive=True)
    if problem:
        raise socket_error(path, problem["fault"])
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
        raise socket_error(path, "is not a socket of this user")


def check_server(connection, path):
    """AccessError where another user listens at the socket that `path` names."""
    uid, pid = peer_of(connection)
    if uid != os.geteuid():
        raise socket_error(path, "is served by {}, pid {}".format(user_text(uid), pid))


def may_attach(connection):
    """Whether whoever connected to the agent's socket is the same user, or root."""
    return peer_of(connection)[0] in (ROOT, os.geteuid())


def peer_of(connection):
    """(uid, pid) of who called connect(), or listen(), at the other end. pid 0: it is in another pid namespace."""
    pid, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid, pid


def socket_error(path, fault):
    message = "the agent's socket {} {}".format(os.path.abspath(path), fault)
    return AccessError(message, "Find out on the node who made it, then remove it.")
