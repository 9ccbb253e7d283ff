"""The `ask` program of a queue: TRIALS trials, each decided from all results so far. Prints each result to stderr: seconds since the epoch, loss."""
import json
import sys
import time

from evolution import Evolution

trials = int(sys.argv[1])
evolution = Evolution()
ended = 0
for line in sys.stdin:
    message = json.loads(line)
    if "output" in message:
        ended += 1
        loss = message["output"]["loss"]
        evolution.record(loss, message["params"])
        print("result %.3f %r" % (time.time(), loss), file=sys.stderr, flush=True)
        if ended == trials:
            print('{"done": true}', flush=True)
    for _ in range(min(message.get("want", 0), trials - evolution.asked)):
        print(json.dumps({"id": "trial-%d" % evolution.asked, "params": evolution.suggest()}), flush=True)
