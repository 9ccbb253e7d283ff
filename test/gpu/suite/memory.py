"""Whether the memory of a card is back after a chunk, however it ended, and whether its card takes the next chunk then."""

import os
import signal
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Optional

from .machine import Card, to_address
from .muster import Command
from .outcome import Failed, Skipped, expect
from .suite import Suite

MARGIN_MIB = 256  # what a desktop may take meanwhile, and what muster leaves out of account
RELEASE_SECONDS = 30
START_SECONDS = 60
UNKNOWN_CARD_MIB = 512  # what a chunk takes of a card whose size nobody tells
HOLDER_SECONDS = 90  # muster reports memory that is not back after 30 s


def measure(suite: Suite, card: Card) -> int:
    used = suite.machine.used_mib(card)
    if used is None:
        raise Skipped("figure of used memory for GPU " + card.address)
    return used


def size_mib(card: Card) -> int:
    """What a chunk takes: enough to be seen beside a context."""
    return min(2048, card.total_mib // 4) or UNKNOWN_CARD_MIB


def expect_release(suite: Suite, card: Card, before: int) -> str:
    """Waits until the used memory is what it was; how long it took."""
    begun = time.monotonic()
    limit = RELEASE_SECONDS * max(suite.scale, 0.1)
    used = measure(suite, card)
    while used > before + MARGIN_MIB:
        if time.monotonic() - begun > limit:
            raise Failed("{} MiB are used {:.0f} s later, {} before".format(used, limit, before))
        time.sleep(0.1)
        used = measure(suite, card)
    return "back within {:.1f} s ({} MiB before, {} after)".format(time.monotonic() - begun, before, used)


def task(name: str, action: str, *words: str, **keys: Any) -> Dict[str, Any]:
    """A task on the first card."""
    output = name + ".json"
    return {"id": name, "gpu": 0, "script": "card.py", "args": [action, output, *words], "outputs": [output], **keys}


def tasks(*list_of_tasks: Dict[str, Any]) -> Dict[str, Any]:
    return {"kind": "tasks", "tasks": list(list_of_tasks)}


def start_spin(suite: Suite, name: str, *more: Dict[str, Any], **keys: Any) -> Command:
    """Starts a run whose first chunk is in its kernel when this returns."""
    card = suite.machine.cards[0]
    before = measure(suite, card)
    first = task("spin", "spin", str(size_mib(card)), priority=1, **keys)
    command = suite.muster.start("run", suite.muster.write_job(name, tasks(first, *more)))
    wait_for(suite, command, "a chunk has taken its memory", lambda: measure(suite, card) > before + MARGIN_MIB)
    return command


def wait_for(suite: Suite, command: Command, what: str, holds: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Raises Failed where the run ends earlier."""

    def check() -> bool:
        if command.has_ended():
            raise Failed("the run ended before {}: {}".format(what, command.stderr().strip()[-400:]))
        return holds()

    suite.muster.deadline.wait_until(what, seconds, check)


def check_after_chunk(suite: Suite) -> str:
    """A chunk takes memory and ends without giving it back. `start_spin` shows that the vendor's figure moves meanwhile."""
    card = suite.machine.cards[0]
    before = measure(suite, card)
    suite.run_job("hold", tasks(task("hold", "hold", str(size_mib(card)))))
    return expect_release(suite, card, before)


def check_after_timeout(suite: Suite) -> str:
    """A chunk in mid-kernel reaches its timeout and is killed; the next one gets the card."""
    card = suite.machine.cards[0]
    before = measure(suite, card)
    command = start_spin(suite, "timeout", task("next", "hold", "64"), timeout="15s" if suite.scale >= 1 else "4s")
    result = command.wait()
    expect(result.status == 3, "exit {}: {}".format(result.status, result.last_lines()))
    suite.muster.read_result("timeout", "next.json")
    return expect_release(suite, card, before)


def check_after_kill(suite: Suite) -> str:
    """A chunk that somebody kills in mid-kernel fails alone; the next one gets the card."""
    card = suite.machine.cards[0]
    before = measure(suite, card)
    command = start_spin(suite, "kill", task("next", "hold", "64"))
    signal_chunks(suite, signal.SIGKILL)
    result = command.wait()
    expect(result.status == 3, "exit {}: {}".format(result.status, result.last_lines()))
    suite.muster.read_result("kill", "next.json")
    return expect_release(suite, card, before)


def check_after_stop(suite: Suite) -> str:
    """A chunk that is stopped (SIGSTOP) in mid-kernel is ended by `muster cancel`."""
    card = suite.machine.cards[0]
    before = measure(suite, card)
    command = start_spin(suite, "stop")
    signal_chunks(suite, signal.SIGSTOP)
    cancelled = suite.muster.run("cancel", suite.muster.run_folder("stop"))
    expect(cancelled.status == 0, "muster cancel: exit {}: {}".format(cancelled.status, cancelled.last_lines()))
    command.wait()
    expect(find_chunks(suite) == [], "processes are left: {}".format(find_chunks(suite)))
    return expect_release(suite, card, before)


def check_holder(suite: Suite) -> str:
    """Memory that a program of somebody else takes during a run keeps the card from the next chunk, and muster names its holder, where
    the vendor's tool does: in a container, it may print the process ids of the host, or none."""
    card = suite.machine.cards[0]
    before = measure(suite, card)
    go = os.path.join(suite.muster.folder, "holder-is-there")
    job = tasks(task("pause", "pause", go, priority=1), task("next", "hold", "64"))
    command = suite.muster.start("run", suite.muster.write_job("holder", job))
    wait_for(suite, command, "a chunk has begun", lambda: find_chunks(suite) != [])
    holder = start_holder(suite, card)
    try:
        wait_for(suite, command, "the other program has its memory", lambda: measure(suite, card) > before + size_mib(card) // 2)
        is_named = holder.pid in list_holders(suite, card)
        name = "held by pid {} (".format(holder.pid) if is_named else "are still in use"
        with open(go, "w"):
            pass
        wait_for(suite, command, "muster says: " + name, lambda: name in command.stderr(), HOLDER_SECONDS)
    finally:
        holder.kill()
        holder.wait()
    result = command.wait()
    expect(result.status == 0, "exit {}: {}".format(result.status, result.last_lines()))
    said = [line.strip() for line in result.err.splitlines() if name in line]
    lacking = "" if is_named else " (the vendor's tool does not name process {})".format(holder.pid)
    return "{}; then enabled again{}".format(said[0], lacking)


def list_holders(suite: Suite, card: Card) -> List[int]:
    """The processes that hold memory of a card, as the vendor's tool or kernel driver numbers them."""
    if suite.machine.vendor == "amd":
        return [int(name) for name in list_folder("/sys/class/kfd/kfd/proc") if name.isdigit()]
    rows = suite.machine.tool("nvidia-smi", "--query-compute-apps=gpu_bus_id,pid", "--format=csv,noheader").splitlines()
    return [int(pid) for address, _, pid in (row.partition(",") for row in rows) if to_address(address) == card.address and pid.strip().isdigit()]


def list_folder(path: str) -> List[str]:
    return os.listdir(path) if os.path.isdir(path) else []


def start_holder(suite: Suite, card: Card) -> "subprocess.Popen[bytes]":
    """A program outside of muster that holds memory of the first card until it is killed."""
    env = {**os.environ, **suite.bind_first()}
    output = os.path.join(suite.muster.folder, "holder.json")
    argv = [sys.executable, os.path.join(suite.muster.project, "card.py"), "keep", output, str(size_mib(card))]
    return subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def signal_chunks(suite: Suite, number: int) -> None:
    pids = find_chunks(suite)
    expect(pids != [], "the chunk's process is not in /proc")
    for pid in pids:
        os.kill(pid, number)


def find_chunks(suite: Suite) -> List[int]:
    """Processes of chunks: their working directory is in the suite's work folder of the node, and they run card.py."""
    root = os.path.join(suite.muster.folder, "node") + "/"
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        place, words = read_process(name)
        if place and place.startswith(root) and any(word.endswith("card.py") for word in words):
            found.append(int(name))
    return found


def read_process(pid: str) -> "tuple[Optional[str], List[str]]":
    """Working directory and command line; (None, []) of a process that is gone or somebody else's."""
    try:
        with open("/proc/{}/cmdline".format(pid), "rb") as file:
            return os.readlink("/proc/{}/cwd".format(pid)), file.read().decode("utf-8", "replace").split("\0")
    except OSError:
        return None, []
