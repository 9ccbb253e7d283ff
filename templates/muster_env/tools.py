"""The programs that make environments, and what they run with."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

BASE_PROGRAM = "import os, sys; print('muster-base %d.%d.%d' % sys.version_info[:3], os.path.realpath(sys.executable))"
PIP_SETTINGS = ["pip.conf", ".pip/pip.conf", ".config/pip/pip.conf", "/etc/pip.conf", "/etc/xdg/pip/pip.conf"]
TOOL_FOLDERS = ["~/.local/bin", "~/.cargo/bin", "/usr/local/bin", "/opt/conda/bin", "~/miniconda3/bin", "~/miniforge3/bin"]
BASE_SECONDS = 30


def clean_environment(offline: bool) -> dict[str, str]:
    """`offline`: pip must not follow the node's configuration, which may name an index."""
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONUSERBASE")
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    if offline:
        env = {name: value for name, value in env.items() if not name.startswith(("PIP_", "UV_"))}
        env.update({"PIP_CONFIG_FILE": os.devnull, "UV_OFFLINE": "1", "UV_NO_CONFIG": "1"})
    env.update({"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"})
    return env


def find_tool(name: str) -> str | None:
    folders = os.environ.get("PATH", os.defpath).split(":") + [os.path.expanduser(folder) for folder in TOOL_FOLDERS]
    return shutil.which(name, path=":".join(folders))


class Base:
    """The interpreter that environments are made with. `error`: why it cannot be used."""

    def __init__(self, python: str) -> None:
        self.python, self.version, self.path, self.error = os.path.expanduser(python), "", "", ""
        found_program, own = shutil.which(self.python), os.path.realpath(sys.executable)
        if found_program is not None and os.path.realpath(found_program) == own:  # nothing to ask: it runs this program, too
            self.version, self.path = "%d.%d.%d" % sys.version_info[:3], own
            return
        try:
            command = [self.python, "-I", "-c", BASE_PROGRAM]
            ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=BASE_SECONDS)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self.error = getattr(error, "strerror", None) or str(error)
            return
        found = re.search(r"^muster-base (\S+) (.+)$", ran.stdout.decode("utf-8", "replace"), re.M)
        if found is None:
            lines = ran.stderr.decode("utf-8", "replace").strip().splitlines() or ["exit {}".format(ran.returncode)]
            self.error = lines[-1][:300]
        else:
            self.version, self.path = found.groups()


def has_pip_settings() -> bool:
    if any(name.startswith("PIP_") for name in os.environ):
        return True
    return any(os.path.exists(os.path.join(os.path.expanduser("~"), path)) for path in PIP_SETTINGS)
