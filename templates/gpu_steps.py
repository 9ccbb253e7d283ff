"""Performs steps on the GPUs of a node, and prints their results as one line of JSON. Python 3.8+, standard library only.

    python3 -IS -c TEXT REQUEST

REQUEST is JSON (playbooks/power/cardsteps.ts): `cards` has the steps of each GPU by its PCI address; or `every` has the steps of each
GPU whose line `ADDRESS VENDOR` on stdin names `vendor`. Each GPU has a process of its own, because a driver that hangs can make a process
unkillable: it delays no other GPU, and this program ends nevertheless. A step that does not end within `seconds` ends its process.
"""
from __future__ import annotations

import glob
import json
import os
import re
import select
import signal
import subprocess
import sys
from time import monotonic as now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    Step = Dict[str, Any]
    Result = Dict[str, str]

BUS = "/sys/bus/pci/devices/"
MAX_TEXT_BYTES = 1 << 16
TOOL_FOLDERS = ("/usr/local/bin", "/usr/local/nvidia/bin", "/usr/sbin", "/sbin")

# What a driver was told but does not tell: a file for each GPU, which root writes. /run is empty after a reboot.
RECORDS = "/run/muster/gpu-settings/"


def device_file(pci: str, name: str) -> str:
    """The path of a GPU's file in sysfs; `hwmon/NAME` is in the folder of its sensors, whose number differs between boots."""
    if name.startswith("hwmon/"):
        found = sorted(glob.glob(BUS + pci + "/hwmon/hwmon*"))
        return (found[0] if found else BUS + pci + "/hwmon") + name[len("hwmon"):]
    return BUS + pci + "/" + name


def read(pci: str, step: Step) -> Result:
    with open(device_file(pci, step["file"]), "rb") as file:
        return {"text": file.read(MAX_TEXT_BYTES).decode("utf-8", "replace").strip()}


def write(pci: str, step: Step) -> Result:
    """The driver takes each text as a command of its own. `undo`: one that drops those before, which it would show as if in effect."""
    descriptor = os.open(device_file(pci, step["file"]), os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        for text in step["texts"]:
            error = write_command(descriptor, text)
            if error:
                if "undo" in step:
                    write_command(descriptor, step["undo"])
                return {"error": "the driver refuses `{}`: {}".format(text, error)}
    finally:
        os.close(descriptor)
    return {"text": ""}


def write_command(descriptor: int, text: str) -> str | None:
    """Why the driver refuses it; None where it takes it."""
    try:
        os.write(descriptor, (text + "\n").encode())
    except OSError as error:
        return error.strerror
    return None


# nvidia-smi ends with 0 where a card does not offer what it is to set.
NOT_DONE = re.compile(r"^.*(?:is not supported for GPU|Treating as warning).*$", re.M | re.I)


def run(pci: str, step: Step) -> Result:
    """A tool's output, also of one that fails: a query may print a warning and yet its report."""
    argv = [pci if word == "{pci}" else word for word in step["argv"]]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        return {"error": "{} cannot be started: {}".format(argv[0], error.strerror)}
    texts = [stream[:MAX_TEXT_BYTES].decode("utf-8", "replace").strip() for stream in (done.stdout, done.stderr)]
    not_done = NOT_DONE.search(texts[0])
    if not_done:
        return {"text": texts[0], "error": not_done.group()}
    if done.returncode == 0:
        return {"text": texts[0]}
    # The first line has the reason; nvidia-smi's last one is "Terminating early due to previous errors".
    lines = (texts[1] or texts[0]).splitlines() or ["it printed nothing"]
    return {"text": texts[0], "error": "exit {}: {}".format(done.returncode, lines[0])}


def record_file(pci: str) -> str:
    return RECORDS + pci + ".json"


def driver_instance(pci: str) -> int:
    """Differs once the driver of a GPU was loaded again, which forgets what it was told."""
    try:
        return os.stat(device_file(pci, "driver/module")).st_ino
    except OSError:
        return 0


def read_record(pci: str) -> dict[str, str]:
    try:
        with open(record_file(pci)) as file:
            record = json.loads(file.read(MAX_TEXT_BYTES))
        return record["settings"] if record["driver"] == driver_instance(pci) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def recall(pci: str, step: Step) -> Result:
    return {"text": str(read_record(pci).get(step["name"], ""))}


def remember(pci: str, step: Step) -> Result:
    settings = {**read_record(pci), step["name"]: step["text"]}
    os.makedirs(RECORDS, 0o755, exist_ok=True)
    temporary = record_file(pci) + ".new"
    with open(temporary, "w") as file:
        json.dump({"driver": driver_instance(pci), "settings": settings}, file)
    os.rename(temporary, record_file(pci))
    return {"text": ""}


ACTIONS = {"read": read, "write": write, "run": run, "recall": recall, "remember": remember}


def perform(pci: str, step: Step) -> Result:
    try:
        return ACTIONS[step["do"]](pci, step)
    except OSError as error:
        return {"error": error.strerror or str(error)}


def work(pci: str, steps: list[Step], stops: bool, output: int) -> None:
    """Writes each result to `output` as a line. `stops`: no step after one that fails."""
    for step in steps:
        result = perform(pci, step)
        os.write(output, (json.dumps(result) + "\n").encode())
        if stops and "error" in result:
            return


class Worker:
    """A process that performs the steps of one GPU."""

    def __init__(self, pci: str, steps: list[Step], stops: bool, seconds: float):
        self.seconds, self.deadline = seconds, now() + seconds
        self.output, self.is_done = b"", False
        self.reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                null = os.open(os.devnull, os.O_RDWR)
                for descriptor in range(3):
                    os.dup2(null, descriptor)
                work(pci, steps, stops, writer)
            finally:
                os._exit(0)
        os.close(writer)

    def receive(self) -> None:
        part = os.read(self.reader, 1 << 16)
        self.output += part
        self.is_done = not part
        if b"\n" in part:
            self.deadline = now() + self.seconds

    def kill(self) -> None:
        self.is_done = True
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except OSError:
            pass
        self.output = self.output[: self.output.rfind(b"\n") + 1]
        self.output += json.dumps({"error": "no answer within {:g} s; killed".format(self.seconds)}).encode()

    def results(self) -> list[Result]:
        return [json.loads(line) for line in self.output.splitlines()]


def perform_all(cards: dict[str, list[Step]], stops: bool, seconds: float) -> dict[str, list[Result]]:
    """The results of each GPU's steps, in their order."""
    workers = {pci: Worker(pci, steps, stops, seconds) for pci, steps in cards.items()}
    while True:
        pending = [worker for worker in workers.values() if not worker.is_done]
        if not pending:
            return {pci: worker.results() for pci, worker in workers.items()}
        wait_seconds = max(0.0, min(worker.deadline for worker in pending) - now())
        ready = select.select([worker.reader for worker in pending], [], [], wait_seconds)[0]
        for worker in pending:
            if worker.reader in ready:
                worker.receive()
            elif now() >= worker.deadline:
                worker.kill()


def main(request: dict[str, Any]) -> None:
    os.umask(0o022)
    os.environ["PATH"] = ":".join([os.environ.get("PATH", os.defpath), *TOOL_FOLDERS])
    cards = request.get("cards")
    if cards is None:
        found = re.findall(r"^([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) " + request["vendor"] + r"\b", sys.stdin.read(), re.M)
        cards = {pci: request["every"] for pci in found}
    results = perform_all(cards, request["stops"], request["seconds"])
    sys.stdout.write("\n" + json.dumps({"muster_gpu_steps": 1, "cards": results}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # without waiting for a process that cannot be killed


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
