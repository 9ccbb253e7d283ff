"""Makes the checks one after another and prints a line for each. Exit 1 where one fails, 69 where there is no GPU, 128 + N after a signal."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from math import inf
from typing import Callable, List, Set, Tuple

from . import binding, facts, faults, memory, needs, power, samples, sharing, sieve, startup
from .machine import Machine, find_machine
from .muster import Muster
from .outcome import Failed, Interrupted, Skipped
from .record import Record
from .suite import LIMIT_SECONDS, Suite

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# A check that takes longer has failed. `speed` takes the time that is left.
CHECK_SECONDS = 90
LONG_CHECK_SECONDS = {"holder": 120, "sieve-hits": 150, "sieve-run": 120, "speed": LIMIT_SECONDS}

# In this order: the last one takes the time that is left.
CHECKS: List[Tuple[str, Callable[[Suite], str]]] = [
    ("facts", facts.check_facts),
    ("health", facts.check_health),
    ("library", facts.check_library),
    ("binding", binding.check_binding),
    ("binding-torch", binding.check_torch),
    ("binding-cupy", binding.check_cupy),
    ("startup", startup.check_startup),
    ("power", power.check_power),
    ("vram", needs.check_vram),
    ("model", needs.check_model),
    ("sharing", sharing.check_sharing),
    ("memory", memory.check_after_chunk),
    ("memory-timeout", memory.check_after_timeout),
    ("memory-kill", memory.check_after_kill),
    ("memory-stop", memory.check_after_stop),
    ("holder", memory.check_holder),
    ("sieve-hits", sieve.check_exact),
    ("sieve-run", sieve.check_run),
    ("samples", samples.check_samples),
    ("fault", faults.check_fault),
    ("speed", sieve.check_speed),
]


# These ask the driver's library nothing: they make sense where it does not answer.
WITHOUT_LIBRARY = {"facts", "health", "power", "binding-torch", "binding-cupy", "startup"}


def make_check(suite: Suite, name: str, check: Callable[[Suite], str]) -> Tuple[str, str]:
    """(ok, FAIL or skipped; what was found)"""
    remaining = suite.remaining_seconds()
    if remaining < 0:
        return "skipped", "no time left"
    if suite.driver_problem and name not in WITHOUT_LIBRARY:
        return "FAIL", suite.driver_problem
    suite.muster.deadline.at = time.monotonic() + min(LONG_CHECK_SECONDS.get(name, CHECK_SECONDS), remaining)
    try:
        return "ok", check(suite)
    except Skipped as lack:
        return "skipped", str(lack) if str(lack).startswith(("no ", "not ")) else "no " + str(lack)
    except Failed as failure:
        return "FAIL", str(failure)
    except Exception:
        return "FAIL", "an error of the suite: " + " | ".join(traceback.format_exc().strip().splitlines()[-3:])
    finally:
        suite.muster.deadline.at = inf
        suite.muster.stop_all()


def run_checks(suite: Suite, record: Record, names: Set[str]) -> int:
    """The exit status. An interrupt ends the checks; the counts are printed then, too."""
    counts = {"ok": 0, "FAIL": 0, "skipped": 0}
    begun = time.monotonic()
    status = 0
    try:
        for name, check in CHECKS:
            if name not in names:
                continue
            started = time.monotonic()
            outcome, text = make_check(suite, name, check)
            counts[outcome] += 1
            record.say("{:8}{:16}{} ({:.1f} s)".format(outcome, name, " ".join(text.split()), time.monotonic() - started))
    except Interrupted as interrupt:
        status = 128 + interrupt.number
        record.say("test/gpu/run: {}: the checks end here".format(signal.Signals(interrupt.number).name))
    for name, text in suite.figures.items():
        record.say("figure  {:16}{}".format(name, text))
    record.say("{ok} ok, {FAIL} failed, {skipped} skipped".format(**counts) + " in {:.0f} s".format(time.monotonic() - begun))
    return status or (1 if counts["FAIL"] else 0)


def interrupt(number: int, _frame: object) -> None:
    ignore_signals()
    raise Interrupted(number)


def ignore_signals() -> None:
    """What ends the chunks must not be interrupted; it takes less than a minute."""
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)


def check_machine(machine: Machine, record: Record, options: argparse.Namespace, names: Set[str]) -> int:
    """Makes the checks in a folder of their own. Whatever happens, nothing stays there or on the cards."""
    marker = "/dev/shm/muster-{}".format(os.geteuid())  # of `muster provision`
    was_provisioned = os.path.exists(marker)
    suite = None
    folder = os.path.realpath(tempfile.mkdtemp(prefix="muster-gpu-"))
    try:
        muster = Muster(json.loads(options.muster), folder, machine)
        suite = Suite(machine, muster, options.scale)
        record.lines.append("muster {}".format(muster.run("--version").out.strip()))
        return run_checks(suite, record, names)
    finally:
        ignore_signals()
        if suite is not None:
            machine.deadline.at = inf
            suite.muster.end()
            if suite.restore is not None:
                suite.restore()
        shutil.rmtree(folder, ignore_errors=True)
        if not was_provisioned:
            shutil.rmtree(marker, ignore_errors=True)
        record.write(machine.record)


def to_scale(text: str) -> float:
    scale = float(text)
    if not 0 < scale < inf:
        raise argparse.ArgumentTypeError("{} is not a number above 0".format(text))
    return scale


def main() -> int:
    parser = argparse.ArgumentParser(prog="test/gpu/run", description=__doc__)
    parser.add_argument("checks", nargs="*", help="only these; default: all")
    parser.add_argument("--without", action="append", default=[], metavar="CHECK", help="leave this one out")
    parser.add_argument("--muster", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--record", default="gpu-record.txt", help="the file for what tools and muster said of the cards")
    parser.add_argument("--scale", type=to_scale, default=1, help="shortens what takes long, e.g. 0.1; figures are worth less then")
    options = parser.parse_args()
    known = [name for name, _ in CHECKS]
    unknown = sorted({*options.checks, *options.without} - set(known))
    if unknown:
        parser.error("no such check: {}; there are {}".format(", ".join(unknown), ", ".join(known)))
    names = set(options.checks or known) - set(options.without)
    if not names:
        parser.error("no check is left: all that are named are left out, too")
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, interrupt)
    try:
        machine = find_machine()
        try:
            record = Record(options.record)
        except OSError as error:
            print("test/gpu/run: {}: {}".format(options.record, error.strerror), file=sys.stderr)
            return 64
        status = check_machine(machine, record, options, names)
    except Skipped as lack:
        hint = " Run it on a machine that has one." if str(lack).startswith("no GPU") else ""
        print("test/gpu/run: {}.{}".format(lack, hint), file=sys.stderr)
        return 69
    except Interrupted as early:
        return 128 + early.number
    record.say("record  {}".format(record.path))
    return status


if __name__ == "__main__":
    sys.exit(main())
