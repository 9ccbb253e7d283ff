"""java.util.Random on the processor: what the kernels compute, and what their hits are checked against."""

from typing import Iterator, List

MODULUS = 1000
MASK = (1 << 48) - 1


def draws(seed: int) -> Iterator[int]:
    """nextInt(1000), for ever. java.util.Random is a 48-bit linear congruential generator."""
    state = (seed ^ 0x5DEECE66D) & MASK
    while True:
        state = (state * 0x5DEECE66D + 0xB) & MASK
        bits = state >> 17
        value = bits % MODULUS
        if bits - value + (MODULUS - 1) < 1 << 31:
            yield value


def take(seed: int, skip: int, count: int) -> List[int]:
    """`count` draws after the first `skip`."""
    source = draws(seed)
    for _ in range(skip):
        next(source)
    return [next(source) for _ in range(count)]
