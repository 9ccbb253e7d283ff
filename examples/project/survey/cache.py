"""Files that the program writes into its own folder."""
import json
import os
from typing import Callable, List

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cache")


class Cache:
    def primes(self, start: int, end: int, compute: Callable[[int, int], List[int]]) -> List[int]:
        """What compute(start, end) returns, from the cache if it is there."""
        os.makedirs(FOLDER, exist_ok=True)
        path = os.path.join(FOLDER, "{}-{}.json".format(start, end))
        if not os.path.exists(path):
            with open(path, "w") as file:
                json.dump(compute(start, end), file)
        with open(path) as file:
            return json.load(file)

    def count(self) -> int:
        return len(os.listdir(FOLDER))
