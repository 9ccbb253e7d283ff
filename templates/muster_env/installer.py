"""Runs the programs that fill an environment."""
from __future__ import annotations

import collections
import os
import re
import shutil
import signal
import subprocess
import threading
import time

from .environment import Environment
from .failure import Failure
from .files import write_durably
from .tools import Base, clean_environment, find_tool, has_pip_settings

BUILD_SECONDS = 3600
TAIL_LINES = 4
MAX_LINES = 200
FULL_BYTES = 1 << 20  # a disk with less is full
FULL_DISK = r"No space left on device|Disk quota exceeded"
CONDA_TOOLS = ["micromamba", "mamba", "conda"]


class Installer:
    """`lock_descriptor`: programs inherit it, so that one whose builder was killed keeps other builders away."""

    def __init__(self, environment: Environment) -> None:
        self.environment, self.request = environment, environment.request
        self.lock_descriptor = -1
        self.child: subprocess.Popen[bytes] | None = None
        self.is_abandoned = False
        self.log_path = environment.beside(".log")

    def abandon(self) -> None:
        self.is_abandoned = True
        self.kill_child()

    def kill_child(self) -> None:
        child = self.child
        if child is not None:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except OSError:
                pass

    def install(self, folder: str) -> str:
        """Runs the programs that make an environment, and returns the name of the one that installs."""
        open(self.log_path, "wb").close()
        if self.request["kind"] == "conda":
            return self.install_conda(folder)
        base = self.environment.base
        assert base is not None
        os.mkdir(folder)
        python = os.path.join(folder, "bin/python")
        uv = find_tool("uv")
        # uv does not read pip's configuration, which may name a private index.
        if uv is not None and (self.request["wheels"] or not has_pip_settings()):
            self.run("uv", [uv, "venv", "--allow-existing", "--python", base.path, folder])
            return self.install_packages("uv", [uv, "pip", "install", "--python", python], folder)
        self.require_venv(base)
        self.run("venv", [base.path, "-I", "-m", "venv", folder])
        return self.install_packages("pip", [python, "-I", "-m", "pip", "install"], folder)

    def install_packages(self, tool: str, argv: list[str], folder: str) -> str:
        request = self.request
        if request["constraints"]:
            argv = argv + ["-c", self.write_input(folder, "constraints")]
        if request["wheels"]:
            argv = argv + ["--no-index", "--find-links", self.environment.beside("-wheels")]
        if request["requirements"]:
            self.run(tool, argv + ["-r", self.write_input(folder, "requirements")])
        if request["project"]:
            project = os.path.join(folder, "project")
            shutil.copytree(self.environment.beside("-project"), project)
            # Off the network, the build uses what the requirements installed.
            self.run(tool, argv + (["--no-build-isolation"] if request["wheels"] else []) + ["-e", project])
        return tool

    def write_input(self, folder: str, name: str) -> str:
        path = os.path.join(folder, "muster-{}.txt".format(name))
        write_durably(path, self.request[name])
        return path

    def install_conda(self, folder: str) -> str:
        found = next((path for path in map(find_tool, CONDA_TOOLS) if path), None)
        if found is None:
            raise Failure("NO_CONDA", "none of {} is installed there".format(", ".join(CONDA_TOOLS)))
        path = self.environment.beside("-environment.yml")
        write_durably(path, self.request["requirements"])
        tool = os.path.basename(found)
        words = ["create", "-y"] if tool == "micromamba" else ["env", "create"]
        self.run(tool, [found] + words + ["-p", folder, "-f", path])
        return tool

    def require_venv(self, base: Base) -> None:
        for module in ("venv", "ensurepip"):
            command = [base.path, "-I", "-c", "import " + module]
            if subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
                package = "python{}-venv".format(base.version.rpartition(".")[0])
                raise Failure("NO_VENV", "{} has no module {}".format(base.path, module), [package])

    def run(self, tool: str, argv: list[str]) -> None:
        """Runs a program. INSTALL, NO_SPACE or TIMEOUT where it fails, with its last lines."""
        started = time.monotonic()
        child = self.child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            cwd=self.environment.parent, env=clean_environment(bool(self.request["wheels"])), pass_fds=[self.lock_descriptor],
        )
        timer = threading.Timer(BUILD_SECONDS, self.kill_child)
        timer.start()
        if self.is_abandoned:
            self.kill_child()
        lines = self.copy_output(child)
        code = child.wait()
        timer.cancel()
        self.kill_child()
        self.child = None
        if time.monotonic() - started >= BUILD_SECONDS:
            raise Failure("TIMEOUT", "{} did not finish within {} s".format(tool, BUILD_SECONDS), lines[-TAIL_LINES:])
        if code != 0:
            is_full = free_bytes(self.environment.parent) < FULL_BYTES or any(re.search(FULL_DISK, line) for line in lines)
            reason = "{} failed (exit {}; its output is in {})".format(tool, code, self.log_path)
            if is_full:
                raise Failure("NO_SPACE", "{} failed: no space left on the disk of {}".format(tool, self.environment.parent))
            raise Failure("INSTALL", reason, lines[-TAIL_LINES:])

    def copy_output(self, child: subprocess.Popen[bytes]) -> list[str]:
        """Copies what a program prints to the log, as far as the disk has room, and returns its last lines."""
        lines: collections.deque[str] = collections.deque(maxlen=MAX_LINES)
        assert child.stdout is not None
        with open(self.log_path, "ab", buffering=0) as log:
            for line in child.stdout:
                try:
                    log.write(line)
                except OSError:
                    pass
                text = line.decode("utf-8", "replace").strip()
                if text and not text.startswith(("[notice]", "Looking in ")):
                    lines.append(text)
        return list(lines)


def free_bytes(path: str) -> int:
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
