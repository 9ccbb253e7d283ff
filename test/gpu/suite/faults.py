"""An error of a kernel, provoked: what its chunk says, and that it harms no other."""

import re

from .memory import task, tasks
from .outcome import expect
from .suite import Suite


# Of card.py; or of AMD's library, which ends the process itself.
KERNEL_FAILED = re.compile(
    "the driver failed: (cuLaunchKernel|cuCtxSynchronize|hipModuleLaunchKernel|hipDeviceSynchronize): |Memory access fault by GPU|HSA_STATUS_ERROR_"
)


def check_fault(suite: Suite) -> str:
    """A write out of bounds ends its chunk with the driver's words; chunks before and after it are done, and the card stays well."""
    before = read_xids(suite)
    job = tasks(task("before", "hold", "64", priority=2), task("fault", "fault", priority=1), task("after", "hold", "64"))
    result = suite.run_job("fault", job, wanted=3)
    for name in ("before", "after"):
        suite.muster.read_result("fault", name + ".json")
    log = suite.muster.read_log("fault", "fault").strip()
    said = [line for line in log.splitlines() if KERNEL_FAILED.search(line)]
    expect(bool(said), "the chunk did not fail in its kernel: {}".format(log[-300:] or "its log is empty"))
    expect("is disabled" not in result.err, "the slot was disabled: {}".format(result.last_lines()))
    health = suite.muster.run("verify", "gpu")
    expect(health.status == 0, "the card counts as sick afterwards: {}".format(health.last_lines()))
    new = [line for line in read_xids(suite) if line not in before]
    suite.machine.record["kernel log after an out-of-bounds kernel"] = "\n".join(new) or "(nothing, or not readable)"
    xids = sorted(set(re.findall(r"\): (\d+)", " ".join(new))))
    return "{}; {}".format(said[-1], "Xid " + ", ".join(xids) if xids else "nothing new in the kernel log, or not readable")


def read_xids(suite: Suite) -> "list[str]":
    """The kernel's lines about errors of GPUs, where this user may read them."""
    words = ("NVRM: Xid", "amdgpu: [gfxhub", "[gfxhub", "VM_L2_PROTECTION_FAULT")
    return [line for line in suite.machine.ask("dmesg").splitlines() if any(word in line for word in words)]
