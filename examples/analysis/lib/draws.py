"""What a seed draws."""
import random


def draws(seed, count, skip=0):
    """The numbers that a seed draws after the first `skip` ones."""
    generator = random.Random(seed)
    for _ in range(skip):
        generator.randrange(100)
    return [generator.randrange(100) for _ in range(count)]
