"""What the fake nvidia-smi beside this file is told to set. /run is empty after a reboot, as the driver forgets its settings."""
import json
import os
import sys
import time
from typing import Any, Dict, List

FOLDER = "/run/fake-nvidia/"
LIMITS = {"power.min_limit": "100.00", "power.max_limit": "400.00", "clocks.max.gr": "2100", "clocks.max.mem": "9501"}
AT_BOOT = {"power.limit": "350.00", "persistence_mode": "Disabled", "compute_mode": "Default", "clocks.gr": "210"}

UNSUPPORTED = {"-pl": "Changing power management limit", "-lgc": "Setting locked GPU clocks"}


def load(address: str) -> Dict[str, str]:
    try:
        with open(FOLDER + address) as file:
            return json.load(file)
    except OSError:
        return {}


def fields(address: str) -> Dict[str, str]:
    """The fields of a query: the limits of the card, and its settings."""
    return {**LIMITS, **AT_BOOT, **load(address)}


def apply(setup: Dict[str, Any], address: str, words: List[str]) -> None:
    """`words`: an option and its value. Exits as nvidia-smi does."""
    option, value = words
    name = "0000" + address.upper()
    if setup.get("setting") == "hang":
        time.sleep(1 << 31)
    if os.geteuid() != 0:
        print("The current user does not have permission to change settings for GPU %s.\nTerminating early due to previous errors." % name)
        sys.exit(4)
    if setup.get("setting") == "unsupported" and option in UNSUPPORTED:
        print("%s is not supported for GPU: %s.\nTreating as warning and moving on.\nAll done." % (UNSUPPORTED[option], name))
        sys.exit(0)
    if option == "-pl" and not 100 <= float(value) <= 400:
        text = "Provided power limit %s W is not a valid power limit which should be between 100.00 W and 400.00 W for GPU %s"
        print((text + "\nTerminating early due to previous errors.") % (value, name))
        sys.exit(3)
    changes = {
        "-pm": lambda: {"persistence_mode": "Enabled" if value == "1" else "Disabled"},
        "-pl": lambda: {"power.limit": "%.2f" % float(value)},
        "-lgc": lambda: {"clocks.gr": value.split(",")[0]},
        "-lmc": lambda: {"clocks.mem": value.split(",")[0]},
        "-c": lambda: {"compute_mode": value.title()},
    }
    os.makedirs(FOLDER, exist_ok=True)
    settings = {**load(address), **changes[option]()}
    with open(FOLDER + address, "w") as file:
        json.dump(settings, file)
    with open(FOLDER + "log", "a") as file:
        file.write("%s %s %s\n" % (address, option, value))
    print("Power limit for GPU %s was set to %s W." % (name, value) if option == "-pl" else "Set.")
    print("All done.")
