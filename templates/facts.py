"""Prints facts about a node as one JSON line: GPUs, memory, disk, versions. Python 3.6+, standard library only.

    python3 - [WORKDIR] [without-gpus]     with this text on stdin; nothing is stored on the node

The vendors' tools list the GPUs. They run side by side, and each is killed with its process group after TOOL_SECONDS.
GPUs that no tool lists are read from /sys/class/drm. `tools` has the error of each tool, or null.
"""
import faulthandler
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from typing import Any, Dict, List, Optional, Tuple

Gpu = Dict[str, Any]

TOOL_SECONDS = 5
TOOL_PATH = ["/opt/rocm/bin", "/usr/local/bin", "/usr/local/nvidia/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
MAX_OUTPUT_BYTES = 4 << 20
TOOLS = [
    ("nvidia-smi", ["--query-gpu=name,pci.bus_id,memory.total,driver_version", "--format=csv,noheader,nounits"]),
    ("amd-smi", ["static", "--asic", "--bus", "--vram", "--driver", "--json"]),
    ("rocm-smi", ["--showproductname", "--showbus", "--showmeminfo", "vram", "--showdriverversion", "--json"]),
]

UNKNOWN_VALUES = ("", "n/a", "none", "unknown", "not supported", "unknown error", "err!", "gpu is lost", "gpu requires reset")


def text(value: Any) -> Optional[str]:
    """A value that a tool printed, as text; None for what tools print where they have no value."""
    value = str(value).strip() if value is not None else ""
    return None if value.strip("[]").lower() in UNKNOWN_VALUES else value


def number(value: Any, unit: int = 1) -> Optional[int]:
    try:
        return int(float(text(value) or "") * unit)
    except (TypeError, ValueError, OverflowError):
        return None


def pci(value: Any) -> Optional[str]:
    """domain:bus:device.function as sysfs spells it (nvidia-smi prints eight digits of domain, rocm-smi upper case)."""
    found = re.match(r"([0-9a-f]{4,8}):([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$", (text(value) or "").lower())
    return found.group(1)[-4:] + ":" + found.group(2) if found else None


def gpu(vendor: str, model: Any, address: Any, vram: Optional[int], driver: Any) -> Gpu:
    """`vram`: bytes."""
    return {"vendor": vendor, "model": text(model), "pci": pci(address), "vram": vram, "driver": text(driver)}


def parse_nvidia(output: str) -> List[Gpu]:
    rows = [[cell.strip() for cell in line.split(",")] for line in output.splitlines() if line.count(",") >= 3]
    return [gpu("nvidia", ",".join(row[:-3]), row[-3], number(row[-2], 1 << 20), row[-1]) for row in rows if pci(row[-3])]


def find_json(output: str) -> Any:
    """The JSON value of an output that may have warnings before it. ValueError where there is none."""
    starts = [output.find(mark) for mark in "{[" if mark in output]
    if not starts:
        raise ValueError("printed no JSON: " + output.strip()[:200])
    for start in sorted(starts) + [found.start() for found in re.finditer(r"^[\[{]", output, re.M)]:
        try:
            return json.JSONDecoder().raw_decode(output, start)[0]
        except ValueError:
            continue
    raise ValueError("printed JSON that cannot be read: " + output.strip()[:200])


UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}


def amd_vram_bytes(vram: Any) -> Optional[int]:
    """ROCm 6 and 7: {"size": {"value": 8176, "unit": "MB"}}; earlier "size": "8176 MB", "size_mb" or "vram_size_mb"."""
    if not isinstance(vram, dict):
        return None
    size = vram.get("size")
    if isinstance(size, dict):
        return number(size.get("value"), UNITS.get(str(size.get("unit")).lower(), 1 << 20))
    words = str(size).split() if size is not None else []
    if words:
        return number(words[0], UNITS.get(words[1].lower(), 1 << 20) if len(words) > 1 else 1 << 20)
    return number(vram.get("vram_size_mb", vram.get("size_mb")), 1 << 20)


def section(card: Dict[str, Any], name: str) -> Dict[str, Any]:
    value = card.get(name)
    return value if isinstance(value, dict) else {}


def parse_amd(output: str) -> List[Gpu]:
    """amd-smi prints a list (ROCm 6) or {"gpu_data": [...]} (ROCm 7)."""
    data = find_json(output)
    if isinstance(data, dict):
        data = data.get("gpu_data", [data] if "gpu" in data else [])
    found = []
    for card in data if isinstance(data, list) else []:
        if not isinstance(card, dict) or "gpu" not in card:
            continue
        driver = section(card, "driver")
        version = driver.get("version", driver.get("driver_version"))
        address = section(card, "bus").get("bdf") or card.get("bdf")
        found.append(gpu("amd", section(card, "asic").get("market_name"), address, amd_vram_bytes(card.get("vram")), version))
    return found


def parse_rocm(output: str) -> List[Gpu]:
    """rocm-smi prints {"card0": {...}, "system": {...}}. The case of the keys differs between ROCm 5 and 6."""
    data = find_json(output)
    system = lower_keys(data.get("system", {}))
    found = []
    for name in sorted((name for name in data if re.match(r"card\d+$", name)), key=lambda name: int(name[4:])):
        card = lower_keys(data[name])
        model = text(card.get("card series")) or text(card.get("device name")) or text(card.get("card model"))
        driver = card.get("driver version", system.get("driver version"))
        found.append(gpu("amd", model, card.get("pci bus"), number(card.get("vram total memory (b)")), driver))
    return found


def lower_keys(value: Any) -> Dict[str, Any]:
    return {str(key).lower(): one for key, one in value.items()} if isinstance(value, dict) else {}


PARSERS = {"nvidia-smi": parse_nvidia, "amd-smi": parse_amd, "rocm-smi": parse_rocm}


def read(path: str) -> str:
    """The text of a file; empty where it cannot be read."""
    try:
        with open(path) as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def sysfs_gpus(root: str = "/sys") -> List[Gpu]:
    """GPUs as the kernel shows them, also those whose tools are missing or hang."""
    found = {}  # type: Dict[str, Gpu]
    folder = root + "/class/drm"
    for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
        if not re.match(r"card\d+$", name):
            continue
        device = os.path.join(folder, name, "device")
        vendor = {"0x1002": "amd", "0x10de": "nvidia"}.get(read(device + "/vendor"))
        slot = re.search(r"^PCI_SLOT_NAME=(\S+)$", read(device + "/uevent"), re.M)
        address = pci(slot.group(1)) if slot else pci(os.path.basename(os.path.realpath(device)))
        if vendor:
            model = read(device + "/product_name") or "PCI device " + (read(device + "/device") or "?")
            found[address or name] = gpu(vendor, model, address, number(read(device + "/mem_info_vram_total")), None)
    return list(found.values())


def find_tool(tool: str) -> Optional[str]:
    for folder in os.environ.get("PATH", "").split(":") + TOOL_PATH:
        path = os.path.join(folder, tool)
        if folder and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def run_tool(tool: str, words: List[str], answers: Dict[str, Dict[str, Any]]) -> None:
    """Sets answers[tool] to {"gpus": [...]} or {"error": reason}, unless the tool is missing."""
    path = find_tool(tool)
    if path is None:
        return
    answers[tool] = {"error": "no answer within {} s; killed".format(TOOL_SECONDS)}
    try:
        child = subprocess.Popen(
            [path] + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        answers[tool] = {"error": "cannot be started: " + str(error)}
        return
    try:
        out, err = child.communicate(timeout=TOOL_SECONDS)
    except subprocess.TimeoutExpired:
        return
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except OSError:
            pass
    answers[tool] = understand(tool, child.returncode, out[:MAX_OUTPUT_BYTES].decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def understand(tool: str, code: int, out: str, err: str) -> Dict[str, Any]:
    """A report counts whatever the exit code: nvidia-smi exits with 14 for a warning about the infoROM, rocm-smi before ROCm 5.3
    with 2 or 15 where one GPU does not support one value. rocm-smi without a driver exits with 0 and says so on stderr only."""
    problem = "names no GPU: " + " ".join(out.split())[:200]
    try:
        gpus = PARSERS[tool](out)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        gpus, problem = [], str(error)[:300]
    if gpus:
        return {"gpus": gpus}
    reason = (err.strip() or out.strip()).splitlines()
    if code != 0:
        return {"error": "exit {}{}".format(code, ": " + reason[-1][:200] if reason else "")}
    return {"error": "names no GPU: " + reason[-1][:200] if reason and not out.strip() else problem}


def merge(reported: List[Gpu], kernel: List[Gpu]) -> List[Gpu]:
    """The GPUs that tools list, with what only the kernel knows of them, and the GPUs that only the kernel shows. They are matched
    by PCI address, which the partitions of a card share; where a tool lists GPUs without addresses, the kernel's GPUs of that vendor
    are left out."""
    by_pci = {card["pci"]: card for card in kernel if card["pci"]}
    for card in reported:
        same = by_pci.get(card["pci"])
        for key in ("vram", "model"):
            if same and card[key] is None:
                card[key] = same[key]
    matched = {card["pci"] for card in reported}
    unmatched = {card["vendor"] for card in reported if card["pci"] is None}
    rest = [card for card in kernel if (card["pci"] is None or card["pci"] not in matched) and card["vendor"] not in unmatched]
    return sorted(reported + rest, key=lambda card: card["pci"] or "~")


def is_integrated(address: Optional[str], root: str = "/sys") -> bool:
    """Whether this is the graphics of an AMD processor, see fleet/gpus/pcibus.ts: other functions of its device, such as the
    processor's security processor, have the vendor id of AMD's processors."""
    device = root + "/bus/pci/devices/" + (address or "")[:-1]
    return bool(address) and any(read(device + str(function) + "/vendor") == "0x1022" for function in range(1, 8))


def leave_out_integrated(gpus: List[Gpu], root: str = "/sys") -> List[Gpu]:
    """Without the graphics of AMD processors, unless a node has no other GPU of AMD; then they are marked as `integrated`."""
    found = [card for card in gpus if card["vendor"] == "amd" and is_integrated(card["pci"], root)]
    others = [card for card in gpus if card not in found]
    marked = [{**card, "integrated": True} if card in found else card for card in gpus]
    return others if any(card["vendor"] == "amd" for card in others) else marked


def find_gpus() -> Tuple[List[Gpu], Dict[str, Optional[str]]]:
    """The GPUs, and by tool its error or None."""
    answers = {}  # type: Dict[str, Dict[str, Any]]
    threads = [threading.Thread(target=run_tool, args=(tool, words, answers)) for tool, words in TOOLS]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join(TOOL_SECONDS + 2)
    answers = dict(answers)
    amd = answers.get("amd-smi", {}).get("gpus") or answers.get("rocm-smi", {}).get("gpus") or []
    gpus = merge(answers.get("nvidia-smi", {}).get("gpus", []) + amd, sysfs_gpus())
    return leave_out_integrated(gpus), {tool: answer.get("error") for tool, answer in sorted(answers.items())}


def memory() -> Dict[str, int]:
    """Bytes."""
    fields = dict(re.findall(r"^(\w+):\s+(\d+) kB$", read("/proc/meminfo"), re.M))
    return {"total": int(fields.get("MemTotal", 0)) << 10, "available": int(fields.get("MemAvailable", 0)) << 10}


def disk(path: str) -> Optional[Dict[str, Any]]:
    """Bytes of the file system of `path`, or of the nearest folder above it that exists."""
    path = os.path.abspath(os.path.expanduser(path))
    while not os.path.isdir(path) and path != "/":
        path = os.path.dirname(path)
    try:
        status = os.statvfs(path)
    except OSError:
        return None
    return {"path": path, "free": status.f_bavail * status.f_frsize, "total": status.f_blocks * status.f_frsize}


def boot_time() -> Optional[int]:
    """Seconds since the epoch."""
    found = re.search(r"^btime (\d+)$", read("/proc/stat"), re.M)
    return int(found.group(1)) if found else None


def main(words: List[str]) -> None:
    faulthandler.dump_traceback_later(2 * TOOL_SECONDS + 3)  # fleet/facts.ts reads there where it hangs
    gpus, tools = ([], {}) if "without-gpus" in words[1:] else find_gpus()
    facts = {
        "muster_facts": 1,
        "hostname": platform.node(),
        "boot": read("/proc/sys/kernel/random/boot_id"),
        "booted": boot_time(),
        "uptime": float((read("/proc/uptime") or "0").split()[0]),
        "python": list(sys.version_info[:3]),
        "cores": len(os.sched_getaffinity(0)),
        "memory": memory(),
        "disk": disk(words[0] if words else "~"),
        "kernel": platform.release(),
        "home": os.path.expanduser("~"),
        "gpus": gpus,
        "tools": tools,
    }
    print("\n" + json.dumps(facts), flush=True)
    os._exit(0)  # a thread may still wait for a tool that hangs


if __name__ == "__main__":
    main(sys.argv[1:])
