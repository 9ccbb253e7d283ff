"""Makes the checks one after another and prints a line for each. Exit 1 where one fails, 69 where there is no GPU."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from typing import Callable, List, Set, Tuple

from . import binding, facts, faults, memory, needs, power, samples, sharing, sieve, startup
from .machine import find_machine
from .muster import Muster
from .outcome import Failed, Skipped
from .suite import LIMIT_SECONDS, Suite

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


def make_check(suite: Suite, name: str, check: Callable[[Suite], str]) -> Tuple[str, str]:
    """(ok, FAIL or skipped; what was found)"""
    remaining = suite.remaining_seconds()
    if remaining < 0:
        return "skipped", "no time left"
    suite.muster.deadline.at = time.monotonic() + min(LONG_CHECK_SECONDS.get(name, CHECK_SECONDS), remaining)
    try:
        return "ok", check(suite)
    except Skipped as lack:
        return "skipped", "no " + str(lack) if not str(lack).startswith("no ") else str(lack)
    except Failed as failure:
        return "FAIL", str(failure)
    except Exception:
        return "FAIL", "an error of the suite: " + " | ".join(traceback.format_exc().strip().splitlines()[-3:])
    finally:
        suite.muster.stop_all()


def run_checks(suite: Suite, names: Set[str]) -> int:
    counts = {"ok": 0, "FAIL": 0, "skipped": 0}
    begun = time.monotonic()
    for name, check in CHECKS:
        if name not in names:
            continue
        started = time.monotonic()
        outcome, text = make_check(suite, name, check)
        counts[outcome] += 1
        text = " ".join(text.split())
        print("{:8}{:16}{} ({:.1f} s)".format(outcome, name, text, time.monotonic() - started), flush=True)
    for name, text in suite.figures.items():
        print("figure  {:16}{}".format(name, text))
    seconds = time.monotonic() - begun
    print("{ok} ok, {FAIL} failed, {skipped} skipped".format(**counts) + " in {:.0f} s".format(seconds))
    return 1 if counts["FAIL"] else 0


def write_record(suite: Suite, path: str) -> None:
    """Everything that tools and muster said of the cards, raw."""
    with open(path, "w") as file:
        for command, text in suite.machine.record.items():
            file.write("$ {}\n{}\n".format(command, text.rstrip()))
    print("record  {}".format(path))


def main() -> int:
    parser = argparse.ArgumentParser(prog="test/gpu/run", description=__doc__)
    parser.add_argument("checks", nargs="*", help="only these; default: all")
    parser.add_argument("--without", action="append", default=[], metavar="CHECK", help="leave this one out")
    parser.add_argument("--muster", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--record", default="gpu-record.txt", help="the file for what tools and muster said of the cards")
    parser.add_argument("--scale", type=float, default=1, help="shortens what takes long, e.g. 0.1; figures are worth less then")
    options = parser.parse_args()
    known = [name for name, _ in CHECKS]
    unknown = sorted({*options.checks, *options.without} - set(known))
    if unknown:
        parser.error("no such check: {}; there are {}".format(", ".join(unknown), ", ".join(known)))
    try:
        machine = find_machine()
    except Skipped as lack:
        print("test/gpu/run: {}. Run it on a machine that has one.".format(lack), file=sys.stderr)
        return 69
    folder = tempfile.mkdtemp(prefix="muster-gpu-")
    try:
        suite = Suite(machine, Muster(json.loads(options.muster), folder, machine), options.scale)
        status = run_checks(suite, set(options.checks or known) - set(options.without))
        write_record(suite, os.path.abspath(options.record))
        return status
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
