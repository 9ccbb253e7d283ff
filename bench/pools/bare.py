"""Runs numbered commands with posix_spawn, as many at once as there are slots, and does nothing else: the least that a launcher costs.
bare.py COUNT SLOTS FOLDER COMMAND: a shell runs COMMAND in FOLDER with the number as $1."""

import os
import sys


def main() -> int:
    count, slots, folder, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    os.chdir(folder)
    running = failed = 0
    for number in range(count + slots):
        if running == slots or number >= count:
            if running == 0:
                break
            failed += os.wait()[1] != 0
            running -= 1
        if number < count:
            os.posix_spawn("/bin/sh", ["sh", "-c", command, "sh", str(number)], os.environ)
            running += 1
    return 1 if failed else 0


sys.exit(main())
