"""Runs muster in a folder of its own, with this machine as its only node."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from math import inf
from typing import Any, Callable, Dict, List, Optional

from .machine import Machine
from .outcome import Failed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
RUN_SECONDS = 180
STOP_SECONDS = 10


class Result:
    def __init__(self, status: int, out: str, err: str):
        self.status, self.out, self.err = status, out, err

    def last_lines(self) -> str:
        return " | ".join((self.err or self.out).strip().splitlines()[-4:])[-600:]


class Deadline:
    """When the check that is made must have ended, so that one that hangs leaves time for the others."""

    def __init__(self) -> None:
        self.at = inf

    def limit(self, seconds: float) -> float:
        """So many seconds, or those that are left where these are fewer."""
        return min(seconds, max(0.0, self.at - time.monotonic()))

    def wait_until(self, what: str, seconds: float, holds: Callable[[], bool]) -> None:
        """Raises Failed where it does not hold within so many seconds, or until the deadline."""
        limit = self.limit(seconds)
        begun = time.monotonic()
        while not holds():
            if time.monotonic() > begun + limit:
                raise Failed("{:.0f} s passed, and not: {}".format(limit, what))
            time.sleep(0.05)


class Command:
    """A command of muster that runs. Its output goes to files, so that nobody has to read it meanwhile."""

    def __init__(self, argv: List[str], path: str, deadline: Deadline):
        self.path, self.deadline = path, deadline
        with open(path + ".out", "wb") as out, open(path + ".err", "wb") as err:
            folder = os.path.dirname(path)
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder)

    def stderr(self) -> str:
        """What it has printed so far."""
        return read_text(self.path + ".err")

    def has_ended(self) -> bool:
        return self.child.poll() is not None

    def interrupt(self) -> None:
        self.child.send_signal(signal.SIGINT)

    def wait(self, seconds: float = RUN_SECONDS) -> Result:
        """Waits for its end. One that does not end is interrupted, then killed, and Failed."""
        limit = self.deadline.limit(seconds)
        try:
            self.child.wait(limit)
        except subprocess.TimeoutExpired:
            self.stop()
            raise Failed("muster did not end within {:.0f} s: {}".format(limit, self.stderr().strip()[-300:]))
        return Result(self.child.returncode, read_text(self.path + ".out"), self.stderr())

    def stop(self) -> None:
        """Interrupts it where it runs; kills it where that does not help."""
        if self.has_ended():
            return
        self.interrupt()
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Muster:
    """`command`: the words that start muster. `folder`: everything of the suite, also the node's work folder."""

    def __init__(self, command: List[str], folder: str, machine: Machine):
        self.command, self.folder, self.machine = command, folder, machine
        self.started: List[Command] = []
        self.deadline = Deadline()
        self.project = os.path.join(folder, "project")
        shutil.copytree(os.path.join(ROOT, "test/gpu/chunks"), self.project)
        shutil.copy(os.path.join(ROOT, "examples/gpu-sieve/driver.py"), self.project)
        self.inventory = self.write_inventory("inventory", {})

    def write_inventory(self, name: str, node: Dict[str, Any]) -> str:
        """Writes an inventory of this machine, with these keys of the node in addition; its path."""
        card = self.machine.cards[0]
        profile = {"vendor": self.machine.vendor, "model": card.model or "card"}
        if card.total_mib > 0:
            profile["vram"] = "{}MiB".format(card.total_mib)
        local = {"connection": "local", "profile": "card", "gpus": len(self.machine.cards), **node}
        defaults = {"workdir": os.path.join(self.folder, "node"), "python": sys.executable, "gpu_check": "10s"}
        path = os.path.join(self.folder, name + ".yaml")
        write_json(path, {"defaults": defaults, "profiles": {"card": profile}, "nodes": {"here": local}})
        return path

    def write_job(self, name: str, job: Dict[str, Any]) -> str:
        path = os.path.join(self.project, name + ".yaml")
        write_json(path, {"name": name, "project": ".", "retry": {"attempts": 1}, **job})
        return path

    def start(self, *words: str, inventory: Optional[str] = None) -> "Command":
        path = os.path.join(self.folder, "command-{}".format(len(self.started)))
        self.started.append(Command([*self.command, *words, "-i", inventory or self.inventory], path, self.deadline))
        return self.started[-1]

    def run(self, *words: str, seconds: float = RUN_SECONDS, inventory: Optional[str] = None) -> Result:
        return self.start(*words, inventory=inventory).wait(seconds)

    def stop_all(self) -> None:
        """Stops what a check that failed has left running."""
        for command in self.started:
            command.stop()

    def run_folder(self, job: str) -> str:
        return os.path.join(self.project, "runs", job)

    def read_result(self, job: str, path: str) -> Any:
        """The JSON value of a published output, such as TASK/FILE."""
        with open(os.path.join(self.run_folder(job), "results", path)) as file:
            return json.load(file)

    def read_log(self, job: str, chunk: str) -> str:
        """What a chunk printed to stderr."""
        return read_text(os.path.join(self.run_folder(job), "logs", chunk + ".err"))


def read_text(path: str) -> str:
    """The text of a file; empty where there is none."""
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def write_json(path: str, value: Any) -> None:
    """YAML reads JSON."""
    with open(path, "w") as file:
        json.dump(value, file, indent=1)

