"""Shell scripts that tell of the memory of cards, and what they say. MiB everywhere."""
import re

PATH = "PATH=$PATH:/usr/local/bin:/usr/sbin:/sbin; "
FILE = "/sys/bus/pci/devices/{}/mem_info_vram_used"
AMD_TAKEN = 'read -r used <{} && echo "{}, $((used >> 20))"'
NVIDIA_TAKEN = PATH + "exec nvidia-smi --query-gpu=pci.bus_id,memory.used,uuid --format=csv,noheader,nounits"
NAMED = 'read -r name </proc/$pid/comm && echo "pid $pid ($name)"'
AMD_HOLDERS = """for node in /sys/class/kfd/kfd/topology/nodes/*; do
  place=; domain=0
  while read -r key value; do
    case $key in location_id) place=$value;; domain) domain=$value;; esac
  done <"$node/properties"
  [ "$domain $place" = "{} {}" ] && read -r id <"$node/gpu_id"
done
for file in /sys/class/kfd/kfd/proc/*/vram_$id; do
  read -r used <"$file" && [ "$used" -gt 1048576 ] || continue
  pid=${{file%/*}}; pid=${{pid##*/}}; """ + NAMED + "\ndone"
NVIDIA_HOLDERS = (
    PATH + "nvidia-smi --query-compute-apps=gpu_bus_id,pid --format=csv,noheader | grep -iF {} |"
    " while IFS=', ' read -r _ pid; do " + NAMED + "; done"
)
LINE = re.compile(r"(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]), *([0-9]+)(?:, *(GPU-[0-9a-f-]+))?", re.I)
LOST = re.compile(r"determine the device handle for GPU ?[0-9]*:? ?(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])", re.I)


def taken_script(vendor, pci):
    """AMD's kernel tells of one card, NVIDIA's tool of all at once."""
    return AMD_TAKEN.format(FILE.format(pci), pci) if vendor == "amd" else NVIDIA_TAKEN


def taken(output):
    """address -> (MiB taken, UUID or None)"""
    return {pci.lower(): (int(used), uuid or None) for pci, used, uuid in LINE.findall(output)}


def lost(output):
    """Addresses of cards that NVIDIA's driver has lost; its tool tells nothing of the others then."""
    return {pci.lower() for pci in LOST.findall(output)}


def holders_script(vendor, pci):
    """Prints `pid N (name)` for each process that holds memory of the card."""
    if vendor == "nvidia":
        return NVIDIA_HOLDERS.format(pci)
    domain, bus, device, function = (int(part, 16) for part in re.split("[:.]", pci))
    return AMD_HOLDERS.format(domain, bus << 8 | device << 3 | function)
