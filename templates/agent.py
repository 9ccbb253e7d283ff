#!/usr/bin/env python3
"""muster's agent: runs the chunks of one run on one node. Python 3.8+, standard library only, Linux.

    python3 agent.py attach ROOT

ROOT is the run's folder on the node. `attach` hands its stdin and stdout to the run's daemon (started if there is none) and
waits; the daemon speaks JSON lines over them (executor/run/protocol.ts) and outlives the connection. Everything lies in ROOT:

    agent.py, muster_agent/    this program       a/ID/work    working directory of attempt ID
    store/SHA256               staged files       a/ID/out     its stdout (and err)
    agent.sock                 where attach knocks
    agent.log                  troubles of the daemon
    done.ndjson                results that nobody has acknowledged yet, and what was started
"""
import os
import sys

sys.dont_write_bytecode = True  # a coordinator that comes back lays these files over themselves: nothing else grows here
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from muster_agent.attach import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
