"""Shell scripts that print how much memory of GPUs is used, and parsers of their output. MiB everywhere."""
from __future__ import annotations

import re

PATH = "PATH=$PATH:/usr/local/bin:/usr/local/nvidia/bin:/usr/sbin:/sbin; "
AMD_USED_FILE = "/sys/bus/pci/devices/{}/mem_info_vram_used"
AMD_USED = 'read -r used <{} && echo "{}, $((used >> 20))"'
NVIDIA_USED = PATH + "exec nvidia-smi --query-gpu=pci.bus_id,memory.used,uuid --format=csv,noheader,nounits"
PRINT_PROCESS = 'read -r name </proc/$pid/comm && echo "pid $pid ($name)"'
AMD_HOLDERS = """for node in /sys/class/kfd/kfd/topology/nodes/*; do
  place=; domain=0
  while read -r key value; do
    case $key in location_id) place=$value;; domain) domain=$value;; esac
  done <"$node/properties"
  [ "$domain $place" = "{} {}" ] && read -r id <"$node/gpu_id"
done
for file in /sys/class/kfd/kfd/proc/*/vram_$id; do
  read -r used <"$file" && [ "$used" -gt 1048576 ] || continue
  pid=${{file%/*}}; pid=${{pid##*/}}; """ + PRINT_PROCESS + "\ndone"
NVIDIA_HOLDERS = (
    PATH + "nvidia-smi --query-compute-apps=gpu_bus_id,pid --format=csv,noheader | grep -iF {} |"
    " while IFS=', ' read -r _ pid; do " + PRINT_PROCESS + "; done"
)
USED_LINE = re.compile(r"(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]), *([0-9]+)(?:, *(GPU-[0-9a-f-]+))?", re.I)
LOST_LINE = re.compile(
    r"determine the device handle for GPU ?[0-9]*:? ?(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])", re.I
)
LOST_ROW = re.compile(r"^(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]),.*\[GPU is lost\]", re.I | re.M)


def used_script(vendor: str, pci: str) -> str:
    """AMD's kernel driver reports one GPU, NVIDIA's tool all of them."""
    return AMD_USED.format(AMD_USED_FILE.format(pci), pci) if vendor == "amd" else NVIDIA_USED


def parse_used(output: str) -> dict[str, tuple[int, str | None]]:
    """address -> (MiB used, UUID or None)"""
    return {pci.lower(): (int(used), uuid or None) for pci, used, uuid in USED_LINE.findall(output)}


def parse_lost(output: str) -> set[str]:
    """Addresses of GPUs that NVIDIA's driver has lost. The tool prints either nothing about the others, or a row for each."""
    return {pci.lower() for pci in LOST_LINE.findall(output) + LOST_ROW.findall(output)}


def holders_script(vendor: str, pci: str) -> str:
    """Prints `pid N (name)` for each process that holds memory of the GPU."""
    if vendor == "nvidia":
        return NVIDIA_HOLDERS.format(pci)
    domain, bus, device, function = (int(part, 16) for part in re.split("[:.]", pci))
    return AMD_HOLDERS.format(domain, bus << 8 | device << 3 | function)
