"""Sizes for people, as schemas/bytecount.ts formats them."""
from __future__ import annotations

UNITS = ("KiB", "MiB", "GiB", "TiB")


def format_bytes(size: int) -> str:
    if size < 1024:
        return "{} B".format(size)
    steps = min(4, (size.bit_length() - 1) // 10)
    return "{:.1f} {}".format(size / 1024**steps, UNITS[steps - 1])


def format_unequal_bytes(one: int, other: int) -> tuple[str, str]:
    """Formats two sizes exactly where they would look alike."""
    texts = format_bytes(one), format_bytes(other)
    return texts if texts[0] != texts[1] else ("{} B".format(one), "{} B".format(other))
