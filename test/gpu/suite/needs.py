"""Jobs that need a certain card."""

from typing import Any, Dict

from .memory import task, tasks
from .outcome import Skipped, expect
from .suite import Suite

REFUSED = (65, 69)


def run_with(suite: Suite, name: str, needs: Dict[str, Any], wanted: bool) -> None:
    """Runs a chunk that needs this, and expects that it runs, or that muster refuses it."""
    job = suite.muster.write_job(name, {**tasks(task("one", "hold", "16")), "needs": needs})
    result = suite.muster.run("run", job)
    statuses = (0,) if wanted else REFUSED
    expect(result.status in statuses, "needs {}: exit {}: {}".format(needs, result.status, result.last_lines()))


def check_vram(suite: Suite) -> str:
    total = suite.machine.cards[0].total_mib
    if total == 0:
        raise Skipped("size of the card's memory")
    run_with(suite, "vram-half", {"vram": "{}MiB".format(total // 2)}, True)
    run_with(suite, "vram-twice", {"vram": "{}MiB".format(2 * total)}, False)
    return "{} MiB: half of it runs, twice of it is refused".format(total)


def check_model(suite: Suite) -> str:
    model = suite.machine.cards[0].model
    if not model:
        raise Skipped("model in the vendor's own words (sysfs)")
    run_with(suite, "model-same", {"model": model, "vendor": suite.machine.vendor}, True)
    run_with(suite, "model-other", {"model": "Voodoo 2"}, False)
    return "{} runs, Voodoo 2 is refused".format(model)
