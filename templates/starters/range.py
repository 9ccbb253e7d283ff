"""Looks for perfect numbers, which are the sums of their proper divisors. Replace `is_hit` by your own question.

Try it without muster: PYTHONPATH has to have muster's worker library (templates/worker).
"""

import muster


def is_hit(number: int) -> bool:
    divisors = {1}
    for low in range(2, int(number**0.5) + 1):
        if number % low == 0:
            divisors |= {low, number // low}
    return number > 1 and sum(divisors) == number


for chunk in muster.chunks():
    hits = []
    # Reports the progress, and ends early where muster gives the rest of the chunk to another slot.
    for block in chunk.ranges(step=1000):
        hits += [number for number in block if is_hit(number)]
    chunk.write("hits.json", hits)
