"""What a seed draws."""
from __future__ import annotations

import random


def draws(seed: int, count: int, skip: int = 0) -> list[int]:
    """The numbers that a seed draws after the first `skip` ones."""
    generator = random.Random(seed)
    for _ in range(skip):
        generator.randrange(100)
    return [generator.randrange(100) for _ in range(count)]
