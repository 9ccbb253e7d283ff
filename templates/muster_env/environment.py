"""What lies at the paths of an environment."""
from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess

from .tools import Base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    Request = Dict[str, Any]

PACKAGES: str  # packages.py, set by the loader (nodeprograms.ts)

MARKER = "muster-env.json"
CHECK_SECONDS = 50


class Environment:
    """The paths of a request, and what lies there."""

    def __init__(self, request: Request) -> None:
        self.request = request
        at = os.path.expanduser(request["at"])
        self.parent = os.path.realpath(os.path.dirname(at))
        self.name = os.path.basename(at)
        self.at = os.path.join(self.parent, self.name)
        self.base = Base(request["python"]) if request["kind"] == "venv" else None
        version = self.base.version if self.base else "conda"
        self.digest = hashlib.sha256("{}\n{}".format(request["key"], version).encode()).hexdigest()[:16]
        self.pattern = re.compile(r"\." + re.escape(self.name) + r"-[0-9a-f]{16}(-[0-9]+)?")

    def beside(self, suffix: str) -> str:
        return os.path.join(self.parent, "." + self.name + suffix)

    def current(self) -> str | None:
        """The folder that the link points to; None where there is no link that this program made."""
        try:
            target = os.readlink(self.at)
        except OSError:
            return None
        return os.path.join(self.parent, target) if self.pattern.fullmatch(target) else None

    def inspect(self) -> dict[str, Any]:
        base = self.base
        state: dict[str, Any] = {"base": None, "link": "missing", "marker": None, "problems": [], "unchecked": []}
        if base is not None:
            state["base"] = {"version": base.version, "error": base.error}
        folder = self.current()
        if folder is None:
            state["link"] = "foreign" if os.path.lexists(self.at) else "missing"
            return state
        state.update(link="ours", folder=folder, marker=read_marker(folder))
        if state["marker"] is not None:
            state.update(check_packages(folder, self.request))
        return state


def read_marker(folder: str) -> dict[str, Any] | None:
    """What muster-env.json says; None where the environment is not complete."""
    try:
        with open(os.path.join(folder, MARKER)) as file:
            marker = json.load(file)
    except (OSError, ValueError):
        return None
    return marker if isinstance(marker, dict) and marker.get("muster_env") == 1 else None


def check_packages(folder: str, request: Request) -> dict[str, Any]:
    """{"problems", "unchecked"}, or {"broken": why its python cannot run}."""
    words = json.dumps({"wanted": request["wanted"], "project": request["project"]}).encode()
    command = [os.path.join(folder, "bin/python"), "-I", "-c", PACKAGES]
    try:
        ran = subprocess.run(
            command, input=words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=CHECK_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        return {"broken": getattr(error, "strerror", None) or str(error)}
    found = re.search(r"^muster-packages (.+)$", ran.stdout.decode("utf-8", "replace"), re.M)
    if found is None:
        lines = ran.stderr.decode("utf-8", "replace").strip().splitlines() or ["exit {}".format(ran.returncode)]
        return {"broken": lines[-1][:300]}
    return json.loads(found.group(1))
