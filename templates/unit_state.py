"""Prints the state of a unit of systemd, and when files changed, as one JSON line. Python 3.8+, standard library only.

    python3 -c THIS UNIT [FILE...]

Times are seconds since an arbitrary start: CLOCK_MONOTONIC, which systemd uses.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time

PROPERTIES = "LoadState,ActiveState,SubState,UnitFileState,Result,NeedDaemonReload,ActiveEnterTimestampMonotonic"
TIMEOUT_SECONDS = 15


def ask_systemd(unit: str) -> dict[str, str]:
    """The properties of a unit; {"problem": ...} where systemd does not answer."""
    argv = ["systemctl", "show", "--no-pager", "-p", PROPERTIES, "--", unit]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_SECONDS
        )
    except FileNotFoundError:
        return {"problem": "the node has no systemd"}
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"problem": "systemctl: {}".format(error)}
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return {"problem": (lines or ["systemctl: exit {}".format(done.returncode)])[-1][:300]}
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def changed_at(path: str) -> float | None:
    """When the content or the attributes of a file changed last; None where there is none, it cannot be seen, or the time lies ahead
    because the clock was set back."""
    try:
        changed = os.stat(os.path.expanduser(path)).st_ctime
    except OSError:
        return None
    now = time.time()
    return None if changed > now else changed - now + time.monotonic()


def main(unit: str, files: list[str]) -> None:
    state = {"unit": ask_systemd(unit), "changed": {path: changed_at(path) for path in files}, "now": time.monotonic()}
    print("\n" + json.dumps(state))


main(sys.argv[1], sys.argv[2:])
