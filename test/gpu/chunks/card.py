"""What a chunk of the suite does with its GPU: `card.py ACTION OUTPUT [ARGUMENT]`.

devices     writes what the driver sees
look        writes what the driver, CuPy and PyTorch see
hold MIB [NOTE GO]   takes memory, writes that it did, and ends; where it is given two files, it writes NOTE and waits for GO before it ends
spin MIB    takes memory, starts a kernel that never ends, and waits for it
keep MIB    takes memory, and keeps it until it is killed
pause FILE  does nothing until FILE is there, for PAUSE_SECONDS at most
fault       starts a kernel that writes where no memory is
turn FILE   takes a little memory for half a second; appends when to FILE
"""

import ctypes
import json
import os
import signal
import sys
import time
from typing import Any, Callable, Dict, List, Optional

from driver import Driver, DriverError, LibraryMissing, find_driver

FOLDER = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
PAUSE_SECONDS = 100


def open_card() -> Driver:
    driver = find_driver()
    driver.open()
    return driver


def load_kernel(driver: Driver, name: str) -> ctypes.c_void_p:
    with open(os.path.join(FOLDER, "kernels.ptx" if driver.vendor == "nvidia" else "kernels.hip"), "rb") as file:
        text = file.read()
    return driver.kernel(text if driver.vendor == "nvidia" else driver.compile(text), name)


def list_devices(driver: Driver) -> List[Dict[str, Any]]:
    return [
        {"uuid": driver.uuid(index), "address": driver.address(index), "total": driver.total_bytes(index), "name": driver.name(index)}
        for index in range(driver.count())
    ]


def look(driver: Driver) -> Dict[str, Any]:
    return {"devices": list_devices(driver), "torch": attempt(look_through_torch), "cupy": attempt(look_through_cupy)}


def attempt(look_through: Callable[[Dict[str, Any]], Optional[Dict[str, Any]]]) -> Optional[Dict[str, Any]]:
    """What it returns; an error of the library must not hide what it has seen before, or what the others see."""
    seen: Dict[str, Any] = {}
    try:
        return look_through(seen)
    except Exception as error:
        return {**seen, "error": "{}: {}".format(type(error).__name__, error)[:300]}


def look_through_torch(seen: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """None where PyTorch is not installed, or is one for processors only."""
    begun = time.monotonic()
    try:
        import torch  # type: ignore
    except ImportError:
        return None
    if not (torch.version.cuda or getattr(torch.version, "hip", None)):
        return None
    seen["version"], seen["count"] = torch.__version__, torch.cuda.device_count()
    indices = range(seen["count"])
    seen["uuids"] = [str(getattr(torch.cuda.get_device_properties(index), "uuid", "")) for index in indices]
    if indices:
        torch.zeros(1, device="cuda").tolist()
    return {**seen, "seconds": time.monotonic() - begun}


def look_through_cupy(seen: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """None where CuPy is not installed. No kernel is compiled: not every CuPy can do that."""
    begun = time.monotonic()
    try:
        import cupy  # type: ignore
    except ImportError:
        return None
    seen["version"], seen["count"] = cupy.__version__, cupy.cuda.runtime.getDeviceCount()
    indices = range(seen["count"])
    seen["addresses"] = [cupy.cuda.Device(index).pci_bus_id.lower() for index in indices]
    if indices:
        cupy.zeros(1).get()
    return {**seen, "seconds": time.monotonic() - begun}


def spin(driver: Driver, mib: int, output: str) -> None:
    driver.alloc(mib * MIB)
    word = driver.alloc(4)
    driver.write(word, bytes(4))
    kernel = load_kernel(driver, "spin")
    write(output, {"pid": os.getpid()})
    driver.launch(kernel, 1, 32, [word])
    driver.synchronize()


def wait_for(path: str) -> None:
    begun = time.monotonic()
    while not os.path.exists(path) and time.monotonic() < begun + PAUSE_SECONDS:
        time.sleep(0.1)


def fault(driver: Driver) -> None:
    word = driver.alloc(4)
    driver.launch(load_kernel(driver, "fault"), 1, 1, [word])
    driver.synchronize()


def turn(driver: Driver, path: str) -> Dict[str, float]:
    begun = time.monotonic()
    driver.alloc(64 * MIB)
    time.sleep(0.5)
    times = {"begun": begun, "ended": time.monotonic()}
    with open(path, "a") as file:
        file.write(json.dumps(times) + "\n")
    return times


def write(path: str, value: Any) -> None:
    with open(path + ".new", "w") as file:
        json.dump(value, file)
    os.rename(path + ".new", path)


def main(words: List[str]) -> None:
    action, output, argument = words[0], words[1], words[2] if len(words) > 2 else ""
    value: Any = {"done": True}
    if action == "pause":
        wait_for(argument)
        return write(output, value)
    driver = open_card()
    if action == "devices":
        value = list_devices(driver)
    elif action == "look":
        value = look(driver)
    elif action == "hold":
        driver.alloc(int(argument) * MIB)
        if len(words) > 3:
            write(words[3], value)
            wait_for(words[4])
    elif action == "keep":
        driver.alloc(int(argument) * MIB)
        signal.pause()
    elif action == "spin":
        spin(driver, int(argument), output)
    elif action == "fault":
        fault(driver)
    elif action == "turn":
        value = turn(driver, argument)
    else:
        raise SystemExit("no such action: " + action)
    write(output, value)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LibraryMissing as error:
        raise SystemExit("no library of the driver: {}".format(error))
    except DriverError as error:
        raise SystemExit("the driver failed: {}".format(error))
