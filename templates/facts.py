"""What muster wants to know of a node, as one JSON line on stdout. Python 3.6+, standard library only.

    python3 - [WORKDIR]     with this text on stdin; nothing is stored on the node

GPUs are asked from the vendors' tools, all at once, each killed with its whole process group after TOOL_SECONDS; where no tool
answers, /sys/class/drm is read. `tools` says how each one fared.
"""
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading

TOOL_SECONDS = 5
TOOL_PATH = ["/opt/rocm/bin", "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
OUTPUT_CAP = 4 << 20
TOOLS = [
    ("nvidia-smi", ["--query-gpu=name,pci.bus_id,memory.total,driver_version", "--format=csv,noheader,nounits"]),
    ("amd-smi", ["static", "--asic", "--bus", "--vram", "--driver", "--json"]),
    ("rocm-smi", ["--showproductname", "--showbus", "--showmeminfo", "vram", "--showdriverversion", "--json"]),
]


def text(value):
    """A value of a tool as text; None for what the tools print when they do not know."""
    value = str(value).strip() if value is not None else ""
    return None if value.strip("[]").lower() in ("", "n/a", "none", "unknown", "not supported", "unknown error") else value


def number(value, unit=1):
    try:
        return int(float(text(value)) * unit)
    except (TypeError, ValueError, OverflowError):
        return None


def pci(value):
    """domain:bus:device.function in sysfs's spelling (nvidia-smi has eight digits of domain, rocm-smi upper case)."""
    found = re.match(r"([0-9a-f]{4,8}):([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$", (text(value) or "").lower())
    return found and found.group(1)[-4:] + ":" + found.group(2)


def gpu(vendor, model, address, vram, driver):
    return {"vendor": vendor, "model": text(model), "pci": pci(address), "vram": vram, "driver": text(driver)}


def parse_nvidia(output):
    rows = [[cell.strip() for cell in line.split(",")] for line in output.splitlines() if line.count(",") >= 3]
    return [gpu("nvidia", ",".join(row[:-3]), row[-3], number(row[-2], 1 << 20), row[-1]) for row in rows]


def json_in(output):
    """The JSON value of an output that may have warnings before it."""
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


def amd_size(vram):
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


def part(card, name):
    value = card.get(name)
    return value if isinstance(value, dict) else {}


def parse_amd(output):
    """amd-smi: a list (ROCm 6), {"gpu_data": [...]} (ROCm 7)."""
    data = json_in(output)
    if isinstance(data, dict):
        data = data.get("gpu_data", [data] if "gpu" in data else [])
    found = []
    for card in data if isinstance(data, list) else []:
        if not isinstance(card, dict) or "gpu" not in card:
            continue
        driver = part(card, "driver")
        version = driver.get("version", driver.get("driver_version"))
        address = part(card, "bus").get("bdf") or card.get("bdf")
        found.append(gpu("amd", part(card, "asic").get("market_name"), address, amd_size(card.get("vram")), version))
    return found


def parse_rocm(output):
    """rocm-smi: {"card0": {...}, "system": {...}}; names of keys changed their case from ROCm 5 to 6."""
    data = json_in(output)
    system = lower(data.get("system", {}))
    found = []
    for name in sorted((name for name in data if re.match(r"card\d+$", name)), key=lambda name: int(name[4:])):
        card = lower(data[name])
        model = text(card.get("card series")) or text(card.get("device name")) or text(card.get("card model"))
        driver = card.get("driver version", system.get("driver version"))
        found.append(gpu("amd", model, card.get("pci bus"), number(card.get("vram total memory (b)")), driver))
    return found


def lower(keys):
    return {str(key).lower(): value for key, value in keys.items()} if isinstance(keys, dict) else {}


PARSERS = {"nvidia-smi": parse_nvidia, "amd-smi": parse_amd, "rocm-smi": parse_rocm}


def read(path, default=None):
    try:
        with open(path) as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return default


def sysfs_gpus(root="/sys"):
    """GPUs as the kernel shows them; also those whose tools are missing or hang."""
    found = {}
    folder = root + "/class/drm"
    for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
        if not re.match(r"card\d+$", name):
            continue
        device = os.path.join(folder, name, "device")
        vendor = {"0x1002": "amd", "0x10de": "nvidia"}.get(read(device + "/vendor"))
        slot = re.search(r"^PCI_SLOT_NAME=(\S+)$", read(device + "/uevent", ""), re.M)
        address = pci(slot.group(1)) if slot else pci(os.path.basename(os.path.realpath(device)))
        if vendor:
            model = read(device + "/product_name") or "PCI device " + read(device + "/device", "?")
            found[address or name] = gpu(vendor, model, address, number(read(device + "/mem_info_vram_total")), None)
    return list(found.values())


def locate(tool):
    for folder in os.environ.get("PATH", "").split(":") + TOOL_PATH:
        path = os.path.join(folder, tool)
        if folder and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def ask(tool, words, answers):
    """Runs one tool; answers[tool] becomes {"gpus": [...]} or {"error": why}. Missing tools leave no answer."""
    path = locate(tool)
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
    answers[tool] = understand(tool, child.returncode, out[:OUTPUT_CAP].decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def understand(tool, code, out, err):
    if code != 0:
        reason = (err.strip() or out.strip()).splitlines()
        return {"error": "exit {}{}".format(code, ": " + reason[-1][:200] if reason else "")}
    try:
        gpus = PARSERS[tool](out)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        return {"error": str(error)[:300]}
    return {"gpus": gpus} if gpus else {"error": "names no GPU: " + " ".join(out.split())[:200]}


def merge(reported, kernel):
    """The tools' GPUs, completed and joined by PCI address with those that only the kernel shows."""
    seen = {card["pci"]: card for card in kernel if card["pci"]}
    for card in reported:
        shown = seen.pop(card["pci"], None)
        if shown and card["vram"] is None:
            card["vram"] = shown["vram"]
        if shown and card["model"] is None:
            card["model"] = shown["model"]
    told = {card["vendor"] for card in reported if card["pci"] is None}
    rest = [card for card in kernel if (card["pci"] is None or card["pci"] in seen) and card["vendor"] not in told]
    return sorted(reported + rest, key=lambda card: card["pci"] or "~")


def find_gpus():
    answers = {}
    threads = [threading.Thread(target=ask, args=(tool, words, answers)) for tool, words in TOOLS]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join(TOOL_SECONDS + 2)
    answers = dict(answers)
    amd = answers.get("amd-smi", {}).get("gpus") or answers.get("rocm-smi", {}).get("gpus") or []
    gpus = merge(answers.get("nvidia-smi", {}).get("gpus", []) + amd, sysfs_gpus())
    return gpus, {tool: answer.get("error") for tool, answer in sorted(answers.items())}


def memory():
    fields = dict(re.findall(r"^(\w+):\s+(\d+) kB$", read("/proc/meminfo", ""), re.M))
    return {"total": int(fields.get("MemTotal", 0)) << 10, "available": int(fields.get("MemAvailable", 0)) << 10}


def disk(path):
    """The file system that holds `path`, or its nearest folder that exists."""
    path = os.path.abspath(os.path.expanduser(path))
    while not os.path.isdir(path) and path != "/":
        path = os.path.dirname(path)
    try:
        status = os.statvfs(path)
    except OSError:
        return None
    return {"path": path, "free": status.f_bavail * status.f_frsize, "total": status.f_blocks * status.f_frsize}


def boot_time():
    found = re.search(r"^btime (\d+)$", read("/proc/stat", ""), re.M)
    return int(found.group(1)) if found else None


def main(words):
    gpus, tools = ([], {}) if "without-gpus" in words[1:] else find_gpus()
    facts = {
        "muster_facts": 1,
        "hostname": platform.node(),
        "boot": read("/proc/sys/kernel/random/boot_id", ""),
        "booted": boot_time(),
        "uptime": float(read("/proc/uptime", "0").split()[0]),
        "python": list(sys.version_info[:3]),
        "cores": len(os.sched_getaffinity(0)),
        "memory": memory(),
        "disk": disk(words[0] if words else "~"),
        "kernel": platform.release(),
        "home": os.path.expanduser("~"),
        "gpus": gpus,
        "tools": tools,
    }
    sys.stdout.write("\n" + json.dumps(facts) + "\n")
    sys.stdout.flush()
    os._exit(0)  # a tool's reader thread may still hang


if __name__ == "__main__":
    main(sys.argv[1:])
