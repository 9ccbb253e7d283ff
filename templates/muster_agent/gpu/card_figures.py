"""What a GPU does at a moment, from the files of AMD's kernel driver and from rows of NVIDIA's tool. Nothing here starts a process."""
from __future__ import annotations

import os
import re
from math import isfinite

from .cards import BUS, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Union

    Figures = Dict[str, Optional[Union[float, bool, str, List[str]]]]

# By name, the least and the largest value that a card can have: what a driver says beyond that is left out. `busy`: percent of the
# time in which it computed; `used`, `total`: bytes of its memory; `celsius`: at its edge (the only one that NVIDIA's tool has);
# `fan`: percent of its full speed, which a fan may exceed.
RANGES = {
    "busy": (0, 100), "used": (0, 1 << 44), "total": (1, 1 << 44), "watts": (0, 10_000), "celsius": (-60, 250),
    "junctionCelsius": (-60, 250), "memoryCelsius": (-60, 250), "mhz": (0, 100_000), "memoryMhz": (0, 100_000), "fan": (0, 250),
}  # fmt: skip

MIB = 1 << 20
# Name, field of nvidia-smi and unit. Drivers without one of the later fields print nothing but an error.
NVIDIA_FIELDS = [
    ("busy", "utilization.gpu", 1), ("used", "memory.used", MIB), ("total", "memory.total", MIB), ("watts", "power.draw", 1),
    ("celsius", "temperature.gpu", 1), ("mhz", "clocks.sm", 1),
]  # fmt: skip
NVIDIA_MORE_FIELDS = [("memoryCelsius", "temperature.memory", 1), ("memoryMhz", "clocks.mem", 1), ("fan", "fan.speed", 1)]
NVIDIA_REASONS_FIELD = "clocks_throttle_reasons.active"
NVIDIA_ROW = re.compile(r"(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]),(.*)", re.I)
UNKNOWN_FIELD = re.compile(r"not a valid field to query", re.I)

# Bits of nvmlClocksEventReasons; those left out (idle, settings of the user) hold no chunk up.
NVIDIA_REASONS = {"power": 0x04 | 0x80, "heat": 0x20 | 0x40, "hardware": 0x08}
# Of `indep_throttle_status` in struct gpu_metrics_v1_3 (Linux, kgd_pp_interface.h; the bits are in amdgpu_smu.h).
AMD_REASONS = {"power": 0xFFFF, "current": 0xFFFF << 16, "heat": 0xFFFF << 32}
AMD_TABLE_VERSION, AMD_STATUS_OFFSET, AMD_STATUS_END = b"\1\3", 112, 120
AMD_NO_STATUS = (1 << 64) - 1


def read_amd_figures(pci: str) -> Figures:
    """What the kernel's driver says of a card now; this may block while the driver hangs. A card that sleeps is left asleep."""
    folder = BUS + pci + "/"
    if read_file(folder + "power/runtime_status") == "suspended":
        return {"asleep": True}
    sensors = find_sensors(folder)
    figures: Figures = {
        "busy": to_number("busy", read_file(folder + "gpu_busy_percent")),
        "used": to_number("used", read_file(folder + "mem_info_vram_used")),
        "total": to_number("total", read_file(folder + "mem_info_vram_total")),
        "watts": to_number("watts", read_file(sensors + "power1_average") or read_file(sensors + "power1_input"), 1e-6),
        "celsius": to_number("celsius", read_file(sensors + "temp1_input"), 1e-3),
        "junctionCelsius": to_number("junctionCelsius", read_file(sensors + "temp2_input"), 1e-3),
        "memoryCelsius": to_number("memoryCelsius", read_file(sensors + "temp3_input"), 1e-3),
        "mhz": to_number("mhz", read_file(sensors + "freq1_input"), 1e-6),
        "memoryMhz": to_number("memoryMhz", read_file(sensors + "freq2_input"), 1e-6),
        "fan": to_number("fan", read_file(sensors + "pwm1"), 100 / 255),
    }
    reasons = read_amd_reasons(folder + "gpu_metrics")
    return figures if reasons is None else {**figures, "throttled": reasons}


def find_sensors(folder: str) -> str:
    try:
        return folder + "hwmon/" + min(os.listdir(folder + "hwmon")) + "/"
    except (OSError, ValueError):
        return folder + "hwmon/"


def read_amd_reasons(path: str) -> list[str] | None:
    """Why the card's clocks are held down. None where the driver's table has another layout, or does not say."""
    try:
        with open(path, "rb") as file:
            table = file.read(AMD_STATUS_END)
    except OSError:
        return None
    if len(table) < AMD_STATUS_END or table[2:4] != AMD_TABLE_VERSION:
        return None
    status = int.from_bytes(table[AMD_STATUS_OFFSET:AMD_STATUS_END], "little")
    return None if status == AMD_NO_STATUS else list_reasons(status, AMD_REASONS)


def nvidia_command(has_all_fields: bool, seconds: float) -> list[str]:
    """The words of a query that repeats itself: a new process for each query would cost more. Whole seconds, at least one."""
    fields = [field for _, field, _ in NVIDIA_FIELDS]
    if has_all_fields:
        fields += [field for _, field, _ in NVIDIA_MORE_FIELDS] + [NVIDIA_REASONS_FIELD]
    query = "--query-gpu=pci.bus_id," + ",".join(fields)
    return ["nvidia-smi", query, "--format=csv,noheader,nounits", "-l", "{}".format(max(1, round(seconds)))]


def parse_nvidia_row(line: str) -> tuple[str, Figures] | None:
    """The address of a card and what it does. None for a line that is no row of the query."""
    row = NVIDIA_ROW.match(line)
    cells = [cell.strip() for cell in row.group(2).split(",")] if row else []
    fields = NVIDIA_FIELDS if len(cells) == len(NVIDIA_FIELDS) else NVIDIA_FIELDS + NVIDIA_MORE_FIELDS
    if row is None or len(cells) not in (len(NVIDIA_FIELDS), len(fields) + 1):
        return None
    figures: Figures = {name: to_number(name, cell, unit) for (name, _, unit), cell in zip(fields, cells)}
    if len(cells) > len(fields):
        try:
            figures["throttled"] = list_reasons(int(cells[-1], 16), NVIDIA_REASONS)
        except ValueError:
            pass  # [N/A]
    return row.group(1).lower(), figures


def list_reasons(status: int, reasons: dict[str, int]) -> list[str]:
    return [reason for reason, bits in reasons.items() if status & bits]


def to_number(name: str, text: str, unit: float = 1) -> float | None:
    """None for what is no number, such as [N/A], and for what the card cannot have."""
    try:
        value = float(text) * unit
    except ValueError:
        return None
    least, most = RANGES[name]
    return round(value, 3) if isfinite(value) and least <= value <= most else None
