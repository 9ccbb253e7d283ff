"""Reads results, a line of JSON each, from stdin, and prints the next generation of SIZE trials after ASKED as lines of tasks."""
import json
import sys

from evolution import Evolution

asked, size = int(sys.argv[1]), int(sys.argv[2])
evolution = Evolution()
evolution.asked = asked
for line in sys.stdin:
    result = json.loads(line)
    evolution.record(result["loss"], result["params"])
for _ in range(size):
    print(json.dumps({"id": "trial-%d" % evolution.asked, "params": evolution.suggest()}))
