"""What the checks share: the machine, muster on it, and what was found out already."""

import json
import os
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional

from .machine import Machine
from .muster import Muster, Result
from .outcome import Skipped, expect

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

    def ask_driver(self, binding: Dict[str, str]) -> List[Dict[str, Any]]:
        """What the vendor's library shows a program with this environment, in the order of the PCI bus. No muster is involved."""
        output = os.path.join(self.muster.folder, "driver.json")
        env = {**os.environ, "CUDA_DEVICE_ORDER": "PCI_BUS_ID", **binding}
        argv = [sys.executable, os.path.join(self.muster.project, "card.py"), "look", output]
        done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DRIVER_SECONDS)
        if done.returncode != 0:
            raise Skipped("a library of the driver that works: " + done.stdout.decode("utf-8", "replace").strip()[-200:])
        with open(output) as file:
            return json.load(file)["devices"]
