"""Whether each chunk sees its own card, and no other."""

from typing import Any, Dict, List

from .outcome import Failed, Skipped, expect
from .suite import Suite


def look_at_all(suite: Suite) -> List[Dict[str, Any]]:
    """What a chunk on each card sees, in the order of the cards. Runs once: a failure is that of each check that needs it."""
    if "MIG " in suite.machine.record.get("nvidia-smi -L", ""):
        raise Skipped("whole cards: MIG is on")
    expect(suite.looks_problem == "", suite.looks_problem)
    if suite.looks is None:
        numbers = [card.number for card in suite.machine.cards]
        try:
            suite.run_job("look", {"kind": "tasks", "script": "card.py", "tasks": [look_task(number) for number in numbers]})
        except Failed as failure:
            suite.looks_problem = str(failure)
            raise
        suite.looks = [suite.muster.read_result("look", "gpu{}.json".format(number)) for number in numbers]
    return suite.looks


def look_at_libraries(suite: Suite) -> List[Dict[str, Any]]:
    """As look_at_all. Skipped where that fails, for the check `binding` says so."""
    try:
        return look_at_all(suite)
    except Failed as failure:
        raise Skipped("not known: no chunk could look at its card: {}".format(failure))


def look_task(number: int) -> Dict[str, Any]:
    output = "gpu{}.json".format(number)
    return {"id": "gpu{}".format(number), "gpu": number, "args": ["look", output], "outputs": [output]}


def check_binding(suite: Suite) -> str:
    """Through the driver's own library."""
    for card, look in zip(suite.machine.cards, look_at_all(suite)):
        devices = look["devices"]
        expect(len(devices) == 1, "the chunk of GPU {} sees {} devices".format(card.address, len(devices)))
        device = devices[0]
        expect(device["address"] == card.address, "the chunk of GPU {} has GPU {}".format(card.address, device["address"]))
        same = not (card.uuid and device["uuid"]) or device["uuid"] == card.uuid
        expect(same, "the chunk of {} has {}".format(card.uuid, device["uuid"]))
    names = ", ".join(card.uuid or card.address for card in suite.machine.cards[:2])
    return "{} of {} chunks on their own card: {}".format(len(suite.machine.cards), len(suite.machine.cards), names)


def read_views(suite: Suite, library: str, title: str) -> List[Dict[str, Any]]:
    """What the library shows in a chunk on each card. Skipped where it is not installed, or fails without muster, too."""
    views = [look[library] for look in look_at_libraries(suite)]
    if views[0] is None:
        raise Skipped(title + " for this card")
    errors = [view["error"] for view in views if "error" in view]
    if errors and "error" in (suite.look("look")[library] or {}):
        raise Skipped("{} that works here, with or without muster: {}".format(title, errors[0]))
    for card, view in zip(suite.machine.cards, views):
        expect("error" not in view, "GPU {}: {}: {}".format(card.address, title, view.get("error")))
        expect(view["count"] == 1, "GPU {}: {} sees {} devices".format(card.address, title, view["count"]))
    return views


def check_torch(suite: Suite) -> str:
    views = read_views(suite, "torch", "PyTorch")
    for card, view in zip(suite.machine.cards, views):
        # PyTorch leaves out `GPU-`, and writes the ids of AMD's cards in a form of its own.
        uuid = view["uuids"][0]
        is_same = suite.machine.vendor == "amd" or not (uuid and card.uuid) or uuid.lower() in card.uuid.lower()
        expect(is_same, "GPU {}: PyTorch has {}".format(card.address, uuid))
    return "PyTorch {}: one device each".format(views[0]["version"])


def check_cupy(suite: Suite) -> str:
    views = read_views(suite, "cupy", "CuPy")
    for card, view in zip(suite.machine.cards, views):
        expect(view["addresses"] == [card.address], "GPU {}: CuPy sees {}".format(card.address, view["addresses"]))
    return "CuPy {}: one device each".format(views[0]["version"])
