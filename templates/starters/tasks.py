"""Writes digits of pi: tasks.py COUNT FILE. Replace it by your own program: it gets the `args` of its task."""

import sys
from pathlib import Path


def digits_of_pi(count: int) -> str:
    """Machin's formula in integers: pi = 16 arctan(1/5) - 4 arctan(1/239)."""
    unit = 10 ** (count + 10)

    def arctan_of_inverse(x: int) -> int:
        total = term = unit // x
        n = 1
        while term:
            term //= -x * x
            n += 2
            total += term // n
        return total

    digits = str((16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)) // 10**10)
    return digits[0] + "." + digits[1:]


count, path = int(sys.argv[1]), Path(sys.argv[2])
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(digits_of_pi(count) + "\n")
