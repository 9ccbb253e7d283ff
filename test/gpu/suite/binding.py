"""Whether each chunk sees its own card, and no other."""

from typing import Any, Dict, List

from .outcome import Skipped, expect
from .suite import Suite


def look_at_all(suite: Suite) -> List[Dict[str, Any]]:
    """What a chunk on each card sees, in the order of the cards. Runs once."""
    if suite.looks is None:
        if "MIG " in suite.machine.record.get("nvidia-smi -L", ""):
            raise Skipped("whole cards: MIG is on")
        numbers = [card.number for card in suite.machine.cards]
        suite.run_job("look", {"kind": "tasks", "script": "card.py", "tasks": [look_task(number) for number in numbers]})
        suite.looks = [suite.muster.read_result("look", "gpu{}.json".format(number)) for number in numbers]
    return suite.looks


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


def check_torch(suite: Suite) -> str:
    looks = look_at_all(suite)
    if looks[0]["torch"] is None:
        raise Skipped("PyTorch for this card")
    for card, look in zip(suite.machine.cards, looks):
        seen = look["torch"]
        expect("error" not in seen, "GPU {}: PyTorch: {}".format(card.address, seen.get("error")))
        expect(seen["count"] == 1, "GPU {}: PyTorch sees {} devices".format(card.address, seen["count"]))
        uuid = seen["uuids"][0]
        # PyTorch writes the ids of AMD's cards in a form of its own.
        is_same = suite.machine.vendor == "amd" or not (uuid and card.uuid) or uuid in card.uuid
        expect(is_same, "GPU {}: PyTorch has {}".format(card.address, uuid))
    return "PyTorch {}: one device each".format(looks[0]["torch"]["version"])


def check_cupy(suite: Suite) -> str:
    looks = look_at_all(suite)
    if looks[0]["cupy"] is None:
        raise Skipped("CuPy")
    for card, look in zip(suite.machine.cards, looks):
        seen = look["cupy"]
        expect("error" not in seen, "GPU {}: CuPy: {}".format(card.address, seen.get("error")))
        expect(seen["addresses"] == [card.address], "GPU {}: CuPy sees {}".format(card.address, seen["addresses"]))
    return "CuPy {}: one device each".format(looks[0]["cupy"]["version"])
