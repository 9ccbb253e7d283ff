"""What the checks share: the machine, muster on it, and what was found out already."""

import json
import os
import sys
import time
from typing import Any, Callable, Dict, List, Optional

from .machine import Machine
from .muster import Muster, Result
from .outcome import Failed, Skipped, expect
from .program import Ended, run_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .sieve import Sieve

LIMIT_SECONDS = 470
DRIVER_SECONDS = 60
NO_LIBRARY = "no library of the driver"  # of the chunks, and of the sieve


class Suite:
    """`scale`: 1 on real cards; smaller where figures do not matter, so that all ends sooner. `looks_problem`: why `looks` cannot be had.
    `driver_problem`: the driver's library does not answer. `has_figure`: the used memory could be read. `still_figure`: but does not change.
    `restore`: undoes a change of a setting."""

    def __init__(self, machine: Machine, muster: Muster, scale: float):
        self.machine, self.muster, self.scale = machine, muster, scale
        self.begun = time.monotonic()
        self.looks: Optional[List[Dict[str, Any]]] = None
        self.looks_problem, self.driver_problem, self.still_figure = "", "", ""
        self.has_figure = False
        self.restore: Optional[Callable[[], object]] = None
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
        """What card.py writes for this action, started without muster; a program is shown all cards then. Skipped without a library."""
        output = os.path.join(self.muster.folder, action + ".json")
        argv = [sys.executable, os.path.join(self.muster.project, "card.py"), action, output]
        try:
            done = self.run_program(argv, DRIVER_SECONDS * max(self.scale, 0.1), self.muster.project, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
        except Failed as failure:
            self.driver_problem = "the driver's library does not answer: {}".format(failure)
            raise Failed(self.driver_problem)
        said = (done.err or done.out).strip()[-300:]
        if said.startswith(NO_LIBRARY):
            raise Skipped(said)
        expect(done.status == 0, "the driver's library, without muster: exit {}: {}".format(done.status, said))
        with open(output) as file:
            return json.load(file)

    def run_program(self, argv: List[str], seconds: float, folder: str, env: Dict[str, str]) -> Ended:
        """Failed where it does not end in time. `env` adds to the environment."""
        limit = self.muster.deadline.limit(seconds)
        done = run_program(argv, limit, folder, env)
        expect(done.status is not None, "{} did not end within {:.0f} s".format(" ".join(os.path.basename(word) for word in argv[:3]), limit))
        return done

    def bind_first(self) -> Dict[str, str]:
        """Environment that shows a program the first card only."""
        name = "HIP_VISIBLE_DEVICES" if self.machine.vendor == "amd" else "CUDA_VISIBLE_DEVICES"
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", name: "0"}
