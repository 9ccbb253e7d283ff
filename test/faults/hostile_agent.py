#!/usr/bin/python3
"""Runs in the place of a node's python: speaks the agent's protocol, with what /var/tmp/hostile says instead of honest work."""
import base64
import hashlib
import itertools
import json
import os
import re
import sys

PROTOCOL = 3
MODE = open("/var/tmp/hostile").read().strip()


def say(**message):
    write(json.dumps(message, separators=(",", ":")) + "\n")


def write(text):
    data = text.encode()
    while data:
        data = data[os.write(1, data) :]  # fmt: skip


def hello(**changes):
    base = dict(ev="hello", muster=PROTOCOL, boot="b", pid=7, started=7, root="/tmp/none", held=[], more=False)
    say(**dict(base, **changes))


def forged(number):
    return "{:016x}-{:x}-{:016x}".format(number, number, number)


def held(numbers, chunk):
    return [{"id": forged(n), "chunk": chunk(n), "slot": n % 2, "state": "done"} for n in numbers]


def done(id, chunk, slot, **changes):
    data = b'"wrong"'
    output = {"path": "r.json", "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "data": base64.b64encode(data).decode()}
    log = {"size": 0, "data": ""}
    base = dict(
        ev="done", id=id, chunk=chunk, slot=slot, exit=0, signal=None, timeout=False, canceled=False, seconds=0.1,
        outputs=[output], missing=[], stdout=log, stderr=log, tail="",
    )  # fmt: skip
    say(**dict(base, **changes))


def starts(lines):
    """Leaves at a stop: one that does not is waited for, as long as a silent node is."""
    for line in lines:
        message = json.loads(line)
        if message["op"] == "stop":
            sys.exit()
        if message["op"] == "start":
            yield message


def lie_about_hashes(lines):
    for start in starts(lines):
        report = {"path": "r.json", "size": 7, "sha256": "0" * 64, "data": base64.b64encode(b'"wrong"').decode()}
        done(start["id"], start["chunk"], start["slot"], outputs=[report])


class Modes:
    """Each is given the lines that the coordinator sends after `open`."""

    def claims_all(lines):
        hello(held=held(range(24), "n={}".format))
        lie_about_hashes(lines)

    def claims_endlessly(lines):
        hello(more=True)
        for page in itertools.count():
            say(ev="held", attempts=held(range(100 * page, 100 * page + 100), "n={}".format), more=True)

    def nests(lines):
        hello()
        write('{"ev":"problem","message":' + "[" * (31 << 20) + "\n")

    def nests_little(lines):
        hello()
        write('{"ev":"memory","waiting":' + "[" * 20000 + "]" * 20000 + "}\n")

    def floods_problems(lines):
        hello()
        while True:
            say(ev="problem", message="x" * 2000)

    def floods_results(lines):
        hello()
        for n in itertools.count():
            done(forged(n), "n=1", 0)

    def floods_slots(lines):
        hello()
        for n in itertools.count():
            say(ev="broken", slot=n % 2, reason="x" * 2000)

    def prints_first(lines):
        while True:
            write("x" * 60000 + "\n")

    def speaks_another_version(lines):
        hello(muster=999, held=[["?"]])

    def refuses(lines):
        say(ev="refused", owner="f" * 16)

    def swaps_chunks(lines):
        hello()
        first, second = itertools.islice(starts(lines), 2)
        done(first["id"], second["chunk"], first["slot"])

    def swaps_slots(lines):
        hello()
        for start in starts(lines):
            done(start["id"], start["chunk"], start["slot"] + 1)

    def lies_about_hashes(lines):
        hello()
        lie_about_hashes(lines)

    def greets_twice(lines):
        hello()
        hello()


def main():
    loader = re.search(r"left, parts = (\d+)", sys.argv[3])
    assert loader is not None
    size = int(loader.group(1))
    while size:
        size -= len(os.read(0, size))
    lines = iter(sys.stdin.buffer.readline, b"")
    next(lines)
    try:
        getattr(Modes, MODE)(lines)
        for _ in lines:
            pass
    except BrokenPipeError:
        pass


main()
