"""Runs the C program, which is compiled on each node."""
import subprocess
from typing import List


def primes_between(start: int, end: int) -> List[int]:
    """The primes in [start, end), in order."""
    output = subprocess.run(["native/primes", str(start), str(end)], check=True, stdout=subprocess.PIPE).stdout
    return [int(line) for line in output.split()]
