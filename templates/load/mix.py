"""The deterministic work of the built-in load, in plain Python: what every card must compute bit for bit."""
from __future__ import annotations

import hashlib
import struct

MASK = 0xFFFFFFFF
# One launch: ITEMS work items of STEPS steps each, whose results are added up in SUMS sums.
ITEMS = 1 << 20
STEPS = 256
SUMS = 4096
# The digest of the sums of one launch, as this module and OpenCL implementations of several vendors compute them.
KNOWN_DIGEST = "9dd94a9169ff538b"

# Each step: xorshift32 (Marsaglia 2003), then one product and one sum of single precision, each of which IEEE 754 defines to the bit.
SOURCE = """
#pragma OPENCL FP_CONTRACT OFF
kernel void work(global uint *results, uint steps) {
    uint id = get_global_id(0);
    uint a = id * 2654435769u + 1u;
    float x = as_float((a >> 9) | 0x3f800000u);
    for (uint i = 0; i < steps; i++) {
        a ^= a << 13;
        a ^= a >> 17;
        a ^= a << 5;
        float product = as_float((a >> 9) | 0x3f800000u) * x;
        float sum = as_float(as_uint(product) ^ (a & 7u)) + 0.75f;
        x = as_float((as_uint(sum) & 0x007fffffu) | 0x3f800000u);
    }
    results[id] = a ^ as_uint(x);
}
kernel void add_up(global const uint *results, global uint *sums, uint items) {
    uint id = get_global_id(0);
    uint count = get_global_size(0);
    uint sum = 0;
    for (uint at = id; at < items; at += count) sum += results[at];
    sums[id] += sum;
}
"""

FLOAT = struct.Struct("<f")
WORD = struct.Struct("<I")


def to_float(word: int) -> float:
    return FLOAT.unpack(WORD.pack(word))[0]


def to_word(value: float) -> int:
    """The bits of a number, rounded to single precision: exact for one product or sum of two such numbers."""
    return WORD.unpack(FLOAT.pack(value))[0]


def compute_item(item: int, steps: int) -> int:
    a = (item * 2654435769 + 1) & MASK
    x = to_float(a >> 9 | 0x3F800000)
    for _ in range(steps):
        a ^= a << 13 & MASK
        a ^= a >> 17
        a ^= a << 5 & MASK
        product = to_word(to_float(a >> 9 | 0x3F800000) * x)
        x = to_float(to_word(to_float(product ^ (a & 7)) + 0.75) & 0x007FFFFF | 0x3F800000)
    return a ^ to_word(x)


def compute_sums(items: int, steps: int, count: int) -> list[int]:
    sums = [0] * count
    for item in range(items):
        sums[item % count] = sums[item % count] + compute_item(item, steps) & MASK
    return sums


def digest_sums(sums: list[int]) -> str:
    return hashlib.sha256(struct.pack("<{}I".format(len(sums)), *sums)).hexdigest()[:16]
