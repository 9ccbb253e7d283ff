"""Counts the twin primes that begin in [start, end), and writes a report: python3 -m survey START END REPORT"""
import json
import sys

from .cache import Cache
from .sieve import primes_between
from .units import in_words

start, end, report = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
with open("conf/survey.json") as file:
    gap = json.load(file)["gap"]

cache = Cache()
found = cache.primes(start, end + gap, primes_between)
known = set(found)
pairs = [prime for prime in found if prime < end and prime + gap in known]
with open(report, "w") as file:
    json.dump({"start": start, "end": end, "pairs": len(pairs), "first": pairs[:1], "text": in_words(len(pairs))}, file)
print("{} pairs, {} file(s) in the cache".format(len(pairs), cache.count()))
