"""Changes the power limits of a node's GPUs for a while, and gives them back whatever happens. Python 3.8+, standard library only.

    python3 -IS -c TEXT GPU_STEPS CARDS

GPU_STEPS is the text of gpu_steps.py. CARDS is JSON: the PCI addresses of the GPUs, which are locked first; that is answered as request 0.
Each line on stdin is JSON, a request: `request` is its number, `restore` are the steps of each GPU by its PCI address that give its limit
back, and `cards` the steps that are performed and answered as gpu_steps.py does. An empty line says that muster is still there. When stdin
ends, when nothing comes for SILENCE_SECONDS, or at a signal, the limits are restored, which is answered, too, as the request after the last
one: so a coordinator that was killed or cut off leaves no limit behind.
"""
from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    Steps = Dict[str, List[Dict[str, Any]]]

SILENCE_SECONDS = 45
STEP_SECONDS = 10
MAX_LINE_BYTES = 1 << 20


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def watch_signals() -> int:
    """A descriptor that is readable once a signal has come. No handler raises, so nothing interrupts steps, and nothing their restoring."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for one in SIGNALS:
        signal.signal(one, lambda number, frame: None)
    return reader


def lock(names: dict[str, Any], cards: list[str]) -> None:
    """Locks the GPUs until this program ends: another bench would take the limits of this one for those that it has to restore."""
    os.makedirs(names["RECORDS"], 0o755, exist_ok=True)
    for pci in sorted(cards):
        descriptor = os.open(names["RECORDS"] + pci + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another bench changes the power limit of GPU {}: wait until it has ended".format(pci))


class Limiter:
    def __init__(self, names: dict[str, Any]):
        self.names = names
        self.request = 0
        self.restore: Steps = {}

    def answer(self, steps: Steps) -> None:
        results = self.names["perform_all"](steps, True, STEP_SECONDS)
        line = "\n" + json.dumps({"muster_gpu_steps": 1, "request": self.request, "cards": results}) + "\n"
        try:
            os.write(1, line.encode())
        except OSError:
            pass  # muster is gone

    def serve(self, signals: int) -> None:
        rest = b""
        while True:
            ready = select.select([0, signals], [], [], SILENCE_SECONDS)[0]
            part = os.read(0, 1 << 16) if ready == [0] else b""
            if not part or len(rest) > MAX_LINE_BYTES:
                return
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                if line.strip():
                    self.perform(json.loads(line))

    def perform(self, request: dict[str, Any]) -> None:
        self.request, self.restore = request["request"], request["restore"]
        self.answer(request["cards"])


def main(source: str, cards: list[str]) -> None:
    os.umask(0o022)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signals = watch_signals()
    names: dict[str, Any] = {"__name__": "gpu_steps"}
    exec(compile(source, "gpu_steps.py", "exec"), names)
    os.environ["PATH"] = ":".join([os.environ.get("PATH", os.defpath), *names["TOOL_FOLDERS"]])
    lock(names, cards)
    limiter = Limiter(names)
    limiter.answer({})
    try:
        limiter.serve(signals)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    finally:
        limiter.request += 1
        limiter.answer(limiter.restore)
        os._exit(0)  # without waiting for a process that cannot be killed


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
