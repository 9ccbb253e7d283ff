"""Whether the memory of a card is back after a chunk, however it ended, and whether its card takes the next chunk then."""

import os
import signal
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List

from .machine import Card, to_address
from .muster import Command, last_lines
from .outcome import Failed, Skipped, expect
from .program import find_chunks, kill_program
from .suite import Suite

MARGIN_MIB = 256  # what a desktop may take meanwhile, and what muster leaves out of account
RELEASE_SECONDS = 30
START_SECONDS = 60
FIGURE_SECONDS = 5  # until the tool shows what a chunk has taken
SPIN_TIMEOUT = "120s"  # of a chunk that its check has not ended
UNKNOWN_CARD_MIB = 512  # what a chunk takes of a card whose size nobody tells
HOLDER_SECONDS = 90  # muster reports memory that is not back after 30 s


def measure(suite: Suite, card: Card) -> int:
    """Skipped where the figure cannot be read, or never changes; Failed where it could be read before."""
    if suite.still_figure:
        raise Skipped(suite.still_figure)
    used = suite.machine.used_mib(card)
    if used is None:
        why = "figure of used memory for GPU {} ({})".format(card.address, suite.machine.problem or "not in what the tool prints")
        expect(not suite.has_figure, "no longer a " + why)
        raise Skipped(why)
    suite.has_figure = True
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
    first = task("spin", "spin", str(size_mib(card)), priority=1, **{"timeout": SPIN_TIMEOUT, **keys})
    command = suite.muster.start("run", suite.muster.write_job(name, tasks(first, *more)))
    wait_for(suite, command, "a chunk has taken its memory", lambda: measure(suite, card) > before + MARGIN_MIB)
    return command


def wait_for(suite: Suite, command: Command, what: str, holds: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Raises Failed where the run ends earlier."""

    def check() -> bool:
        if command.has_ended():
            raise Failed("the run ended before {}: {}".format(what, last_lines(command.stderr())))
        return holds()

    suite.muster.deadline.wait_until(what, seconds, check)


def check_after_chunk(suite: Suite) -> str:
    """A chunk takes memory, which the vendor's figure shows, and ends without giving it back."""
    card = suite.machine.cards[0]
    before = measure(suite, card)
    size = size_mib(card)
    note, go = (os.path.join(suite.muster.folder, name) for name in ("memory-is-taken", "memory-was-seen"))
    command = suite.muster.start("run", suite.muster.write_job("hold", tasks(task("hold", "hold", str(size), note, go))))
    wait_for(suite, command, "a chunk has taken its memory", lambda: os.path.exists(note))
    begun, highest = time.monotonic(), 0
    while highest <= before + MARGIN_MIB and time.monotonic() < begun + FIGURE_SECONDS:
        highest = max(highest, measure(suite, card))
    with open(go, "w"):
        pass
    result = command.wait()
    expect(result.status == 0, "exit {}: {}".format(result.status, result.last_lines()))
    if highest <= before + MARGIN_MIB:
        suite.still_figure = "figure of used memory that changes: {} MiB before, {} while a chunk held {}".format(before, highest, size)
        raise Skipped(suite.still_figure)
    return "{} MiB in use, ".format(highest) + expect_release(suite, card, before)


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
    left = find_chunks(suite.muster.node_folder)
    expect(left == [], "processes are left: {}".format(left))
    return expect_release(suite, card, before)


def check_holder(suite: Suite) -> str:
    """Memory that a program of somebody else takes during a run keeps the card from the next chunk, and muster names its holder, where
    the vendor's tool does: in a container, it may print the process ids of the host, or none."""
    card = suite.machine.cards[0]
    before = measure(suite, card)
    go = os.path.join(suite.muster.folder, "holder-is-there")
    job = tasks(task("pause", "pause", go, priority=1), task("next", "hold", "64"))
    command = suite.muster.start("run", suite.muster.write_job("holder", job))
    wait_for(suite, command, "a chunk has begun", lambda: find_chunks(suite.muster.node_folder) != [])
    holder = start_holder(suite, card)
    try:
        wait_for(suite, command, "the other program has its memory", lambda: measure(suite, card) > before + size_mib(card) // 2)
        is_named = holder.pid in list_holders(suite, card)
        name = "held by pid {} (".format(holder.pid) if is_named else "are still in use"
        with open(go, "w"):
            pass
        wait_for(suite, command, "muster says: " + name, lambda: name in command.stderr(), HOLDER_SECONDS)
    finally:
        kill_program(holder)
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
    null = subprocess.DEVNULL
    return subprocess.Popen(argv, env=env, cwd=suite.muster.folder, stdin=null, stdout=null, stderr=null, start_new_session=True)


def signal_chunks(suite: Suite, number: int) -> None:
    pids = find_chunks(suite.muster.node_folder)
    expect(pids != [], "the chunk's process is not in /proc")
    for pid in pids:
        os.kill(pid, number)
