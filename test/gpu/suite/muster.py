"""Runs muster in a folder of its own, with this machine as its only node."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from typing import Any, Dict, List, Optional

from .machine import Machine
from .outcome import Failed
from .program import Deadline, find_chunks, find_processes, kill_processes, kill_program, run_program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
RUN_SECONDS = 180
STOP_SECONDS = 10
CANCEL_SECONDS = 30
USUAL_LINE = re.compile(r"stopping: |inventory: |run directory: |\S+: \d+ %")


class Result:
    def __init__(self, status: int, out: str, err: str):
        self.status, self.out, self.err = status, out, err

    def last_lines(self) -> str:
        return last_lines(self.err or self.out)


def last_lines(text: str) -> str:
    """The end of what muster printed, without the lines that are there of every run."""
    lines = [line for line in text.strip().splitlines() if not USUAL_LINE.match(line)]
    return " | ".join(lines[-4:])[-600:]


class Command:
    """A command of muster that runs. Its output goes to files, so that nobody has to read it meanwhile. `run`: the directory of the run that
    it starts. `is_cut_off`: the run was interrupted, so its chunks may go on."""

    def __init__(self, argv: List[str], path: str, deadline: Deadline, run: Optional[str]):
        self.path, self.deadline, self.run = path, deadline, run
        self.is_cut_off = False
        with open(path + ".out", "wb") as out, open(path + ".err", "wb") as err:
            folder = os.path.dirname(path)
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder, start_new_session=True)

    def stderr(self) -> str:
        """What it has printed so far."""
        return read_text(self.path + ".err")

    def has_ended(self) -> bool:
        return self.child.poll() is not None

    def interrupt(self) -> None:
        self.is_cut_off = True
        self.child.send_signal(signal.SIGINT)

    def wait(self) -> Result:
        """Waits for its end. One that does not end is stopped, and Failed."""
        limit = self.deadline.limit(RUN_SECONDS)
        try:
            self.child.wait(limit)
        except subprocess.TimeoutExpired:
            said = last_lines(self.stderr())
            self.stop()
            raise Failed("muster did not end within {:.0f} s: {}".format(limit, said))
        except BaseException:
            self.stop()
            raise
        return Result(self.child.returncode, read_text(self.path + ".out"), self.stderr())

    def stop(self) -> None:
        """Interrupts it where it runs; kills it where that does not help. Its chunks go on."""
        if self.has_ended():
            return
        self.interrupt()
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill_program(self.child)


class Muster:
    """`command`: the words that start muster. `folder`: everything of the suite, also the node's work folder."""

    def __init__(self, command: List[str], folder: str, machine: Machine):
        self.command, self.folder, self.machine = command, folder, machine
        self.started: List[Command] = []
        self.deadline = machine.deadline
        self.project = os.path.join(folder, "project")
        self.node_folder = os.path.join(folder, "node")
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
        defaults = {"workdir": self.node_folder, "python": sys.executable, "gpu_check": "10s"}
        path = os.path.join(self.folder, name + ".yaml")
        write_json(path, {"defaults": defaults, "profiles": {"card": profile}, "nodes": {"here": local}})
        return path

    def write_job(self, name: str, job: Dict[str, Any]) -> str:
        path = os.path.join(self.project, name + ".yaml")
        write_json(path, {"name": name, "project": ".", "retry": {"attempts": 1}, **job})
        return path

    def start(self, *words: str, inventory: Optional[str] = None) -> "Command":
        """Starts a command; that of `run` is the path of the job, whose run directory is beside it."""
        path = os.path.join(self.folder, "command-{}".format(len(self.started)))
        run = os.path.join(os.path.dirname(words[1]), "runs", os.path.basename(words[1])[: -len(".yaml")]) if words[0] == "run" else None
        self.started.append(Command([*self.command, *words, "-i", inventory or self.inventory], path, self.deadline, run))
        return self.started[-1]

    def run(self, *words: str, inventory: Optional[str] = None) -> Result:
        return self.start(*words, inventory=inventory).wait()

    def stop_all(self) -> None:
        """Stops what a check has left running, with its chunks: those of an interrupted run go on by design."""
        for command in self.started:
            command.stop()
        cut_off = [command for command in self.started if command.is_cut_off]
        for run in sorted({command.run for command in cut_off if command.run}):
            run_program([*self.command, "cancel", run, "-i", self.inventory], CANCEL_SECONDS, self.folder)
        for command in cut_off:
            command.is_cut_off = False
        if cut_off:
            kill_processes(find_chunks(self.node_folder))

    def end(self) -> None:
        """Ends everything that was started in the folder, and removes it."""
        self.stop_all()
        kill_processes(list(find_processes(self.folder)))
        shutil.rmtree(self.folder, ignore_errors=True)

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

