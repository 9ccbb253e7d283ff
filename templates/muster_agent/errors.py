"""Error messages for people."""
from __future__ import annotations


def describe_error(error: BaseException, action: str) -> str:
    """One line: the action that failed, the reason, and the file where the error names one."""
    reason = getattr(error, "strerror", None) or str(error)
    path = getattr(error, "filename", None)
    if isinstance(path, bytes):
        path = path.decode("utf-8", "replace")
    return "{}: {}{}".format(action, reason, " ({})".format(path) if path else "")
