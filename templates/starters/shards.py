"""Counts the primes in one part of the numbers below LIMIT. Replace it by your own program."""

import argparse
import json

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--part", type=int, metavar="INDEX", required=True)
parser.add_argument("--of", type=int, metavar="SHARDS", required=True)
parser.add_argument("--limit", type=int, required=True)
options = parser.parse_args()


def is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


own = range(options.limit * options.part // options.of, options.limit * (options.part + 1) // options.of)
print(json.dumps({"part": options.part, "primes": sum(map(is_prime, own))}))
