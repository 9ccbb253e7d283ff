"""What went wrong, in a line for people."""


def explain(error, doing):
    """What was being done, why it failed, and where."""
    reason = getattr(error, "strerror", None) or str(error)
    where = getattr(error, "filename", None)
    if isinstance(where, bytes):
        where = where.decode("utf-8", "replace")
    return "{}: {}{}".format(doing, reason, " ({})".format(where) if where else "")
