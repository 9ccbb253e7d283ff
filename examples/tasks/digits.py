"""Prints digits of pi (by Machin's formula) or of e (by its series) into a file. It computes with integers only, so the digits are exact."""

import sys


def arctan_inverse(x: int, unit: int) -> int:
    total = term = unit // x
    n, sign = 3, -1
    while term:
        term //= x * x
        total += sign * (term // n)
        n, sign = n + 2, -sign
    return total


def pi(digits: int) -> int:
    unit = 10 ** (digits + 10)
    return 4 * (4 * arctan_inverse(5, unit) - arctan_inverse(239, unit)) // 10**10


def e(digits: int) -> int:
    unit = 10 ** (digits + 10)
    total, term, n = 0, unit, 1
    while term:
        total += term
        term //= n
        n += 1
    return total // 10**10


name, digits, output = sys.argv[1], int(sys.argv[2]), sys.argv[3]
text = str({"pi": pi, "e": e}[name](digits))
with open(output, "w") as file:
    file.write(f"{text[0]}.{text[1:]}\n")
