"""What the checks share: the machine, muster on it, and what was found out already."""

import json
import os
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional

from .machine import Machine
from .muster import Muster, Result
from .outcome import Failed, Skipped, expect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .sieve import Sieve

LIMIT_SECONDS = 470
DRIVER_SECONDS = 60


class Suite:
    """`scale`: 1 on real cards; smaller where figures do not matter, so that all ends sooner."""

    def __init__(self, machine: Machine, muster: Muster, scale: float):
        self.machine, self.muster, self.scale = machine, muster, scale
        self.begun = time.monotonic()
        self.looks: Optional[List[Dict[str, Any]]] = None
        self.sieve: "Optional[Sieve]" = None
        self.figures: Dict[str, str] = {}

    def remaining_seconds(self) -> float:
        """Until the time is up that the suite may take."""
        return self.begun + LIMIT_SECONDS - time.monotonic()

    def run_job(self, name: str, job: Dict[str, Any], wanted: int = 0) -> Result:
        """Runs a job; Failed where its exit status is another one."""
        result = self.muster.run("run", self.muster.write_job(name, job))
        if result.status != wanted:
            logs = " | ".join(self.read_logs(name))[-400:]
            expect(False, "muster run {}: exit {}: {} {}".format(name, result.status, result.last_lines(), logs))
        return result

    def read_logs(self, name: str) -> List[str]:
        folder = os.path.join(self.muster.run_folder(name), "logs")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return [self.muster.read_log(name, file[:-4]).strip() for file in names if file.endswith(".err")]

    def look(self, action: str) -> Any:
        """What card.py writes for this action, started without muster; a program is shown all cards then. Skipped where it fails."""
        output = os.path.join(self.muster.folder, action + ".json")
        argv = [sys.executable, os.path.join(self.muster.project, "card.py"), action, output]
        done = self.run_program(argv, DRIVER_SECONDS, self.muster.project, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
        if done.returncode != 0:
            raise Skipped("a library of the driver that works: " + (done.stderr or done.stdout).strip()[-200:])
        with open(output) as file:
            return json.load(file)

    def run_program(self, argv: List[str], seconds: float, folder: str, env: Dict[str, str]) -> "subprocess.CompletedProcess[str]":
        """Failed where it does not end in time. `env` adds to the environment."""
        limit, pipe = self.muster.deadline.limit(seconds), subprocess.PIPE
        try:
            return subprocess.run(
                argv, cwd=folder, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe,
                timeout=limit, universal_newlines=True, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Failed("{} did not end within {:.0f} s".format(" ".join(os.path.basename(word) for word in argv[:2]), limit))

    def bind_first(self) -> Dict[str, str]:
        """Environment that shows a program the first card only."""
        name = "HIP_VISIBLE_DEVICES" if self.machine.vendor == "amd" else "CUDA_VISIBLE_DEVICES"
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", name: "0"}
