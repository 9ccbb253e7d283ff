"""The built-in load of `muster bench`: computes the same work again and again for some seconds, on one GPU through OpenCL.

    python3 load.py SECONDS OUTPUT

OUTPUT gets JSON: `measures` ("card": the GPU of this chunk; "cpu": this machine's processor, because no OpenCL device is that GPU),
`device`, `reason` (why it is not the card), `rate` (million steps a second), `seconds`, `digest` (of one launch; equal on all devices
that compute rightly), `batches` and `wrong` (batches of launches, and those of them whose result was not that of the first launch).
"""
from __future__ import annotations

import ctypes
import json
import os
import sys
from time import monotonic as now

from mix import ITEMS, MASK, SOURCE, STEPS, SUMS, compute_item, digest_sums
from opencl import Device, OpenCl, OpenClError, Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BATCH_SECONDS = 0.25
MAX_LAUNCHES = 4096


def choose_device(devices: list[Device], pci: str | None) -> tuple[Device | None, str | None]:
    """The device that is the GPU at this address; else one of the processor, or None, and why."""
    gpus = [one for one in devices if one.is_gpu]
    found = [one for one in gpus if pci is not None and one.pci == pci]
    unplaced = [one for one in gpus if one.pci is None or pci is None]
    if found or len(unplaced) == len(gpus) == 1:
        return (found or unplaced)[0], None
    others = [one for one in devices if not one.is_gpu]
    names = ", ".join("{} at {}".format(one.name, one.pci or "an unknown address") for one in gpus) or "no GPU"
    reason = "OpenCL has {}, and not the GPU at {}".format(names, pci or "an unknown address")
    return (others[0] if others else None), reason


def run_device(device: Device, seconds: float) -> dict[str, Any]:
    program = Program(device, SOURCE)
    results, sums = program.buffer(4 * ITEMS), program.buffer(4 * SUMS)
    work = program.kernel("work", results, ctypes.c_uint32(STEPS))
    add_up = program.kernel("add_up", results, sums, ctypes.c_uint32(ITEMS))

    def compute(launches: int) -> list[int]:
        """The sums of some launches."""
        program.write(sums, bytes(4 * SUMS))
        for _ in range(launches):
            program.enqueue(work, ITEMS)
            program.enqueue(add_up, SUMS)
        return program.read(sums, SUMS)

    first = compute(1)
    began = now()
    compute(1)
    launches = max(1, min(MAX_LAUNCHES, int(BATCH_SECONDS / max(now() - began, 1e-6))))
    began = now()
    batches = wrong = 0
    while batches == 0 or now() - began < seconds:
        found = compute(launches)
        batches += 1
        wrong += found != [one * launches & MASK for one in first]
    elapsed = now() - began
    rate = batches * launches * ITEMS * STEPS / elapsed / 1e6
    return {"rate": rate, "seconds": elapsed, "digest": digest_sums(first), "batches": batches, "wrong": wrong}


def run_python(seconds: float) -> dict[str, Any]:
    """The last resort: it says how fast Python is here, and nothing about a GPU."""
    began = now()
    items = 0
    while items == 0 or now() - began < seconds:
        compute_item(items, STEPS)
        items += 1
    elapsed = now() - began
    return {"rate": items * STEPS / elapsed / 1e6, "seconds": elapsed}


def main(seconds: float, output: str) -> None:
    pci = os.environ.get("MUSTER_GPU_PCI")
    try:
        device, reason = choose_device(list(OpenCl().devices()), pci)
    except OpenClError as error:
        device, reason = None, str(error)
    about = {"measures": "cpu" if reason else "card", "device": device.name if device else "Python", "reason": reason}
    result = run_device(device, seconds) if device else run_python(seconds)
    with open(output, "w") as file:
        json.dump({**about, **result}, file)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2])
