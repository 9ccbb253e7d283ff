#!/usr/bin/python3
"""Replaces a node's python, and speaks the agent's protocol. /var/tmp/hostile names what it does instead of honest work, and the version
of the protocol."""
import base64
import hashlib
import itertools
import json
import os
import re
import sys
from typing import Any, Callable, Dict, Iterable, Iterator, List

MODE, VERSION = open("/var/tmp/hostile").read().split()
PROTOCOL = int(VERSION)


def say(**message: Any) -> None:
    write(json.dumps(message, separators=(",", ":")) + "\n")


def write(text: str) -> None:
    data = text.encode()
    while data:
        data = data[os.write(1, data) :]  # fmt: skip


def hello(**changes: Any) -> None:
    base = dict(ev="hello", muster=PROTOCOL, boot="b", pid=7, started=7, root="/tmp/none", held=[], more=False)
    say(**dict(base, **changes))


def forged(number: int) -> str:
    return "{:016x}-{:x}-{:016x}".format(number, number, number)


def held(numbers: Iterable[int], chunk: Callable[[int], str]) -> List[Dict[str, Any]]:
    return [{"id": forged(n), "chunk": chunk(n), "slot": n % 2, "state": "done"} for n in numbers]


def done(id: str, chunk: str, slot: int, **changes: Any) -> None:
    data = b'"wrong"'
    output = {"path": "r.json", "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "data": base64.b64encode(data).decode()}
    log = {"size": 0, "data": ""}
    base = dict(
        ev="done", id=id, chunk=chunk, slot=slot, exit=0, signal=None, timeout=False, cancelled=False, seconds=0.1,
        outputs=[output], missing=[], stdout=log, stderr=log, tail="",
    )  # fmt: skip
    say(**dict(base, **changes))


def starts(lines: Iterator[bytes]) -> Iterator[Dict[str, Any]]:
    """The commands `start`. It exits at a `stop`: the coordinator would wait for it as for a silent node."""
    for line in lines:
        message = json.loads(line)
        if message["op"] == "stop":
            sys.exit()
        if message["op"] == "tree":
            say(ev="tree", sha256=message["sha256"], missing="")
        if message["op"] == "start":
            yield message


def lie_about_hashes(lines: Iterator[bytes]) -> None:
    for start in starts(lines):
        report = {"path": "r.json", "size": 7, "sha256": "0" * 64, "data": base64.b64encode(b'"wrong"').decode()}
        done(start["id"], start["chunk"], start["slot"], outputs=[report])


class Modes:
    """A function for each mode. It gets the lines that the coordinator sends after `open`."""

    def claims_all(lines: Iterator[bytes]) -> None:
        hello(held=held(range(24), "n={}".format))
        lie_about_hashes(lines)

    def claims_endlessly(lines: Iterator[bytes]) -> None:
        hello(more=True)
        for page in itertools.count():
            say(ev="held", attempts=held(range(100 * page, 100 * page + 100), "n={}".format), more=True)

    def nests(lines: Iterator[bytes]) -> None:
        hello()
        write('{"ev":"problem","message":' + "[" * (31 << 20) + "\n")

    def nests_little(lines: Iterator[bytes]) -> None:
        hello()
        write('{"ev":"memory","waiting":' + "[" * 20000 + "]" * 20000 + "}\n")

    def floods_idleness(lines: Iterator[bytes]) -> None:
        hello()
        for start in starts(lines):
            while True:
                say(ev="idle", id=start["id"], pci="0000:03:00.0", at=1, seconds=120)

    def floods_problems(lines: Iterator[bytes]) -> None:
        hello()
        while True:
            say(ev="problem", message="x" * 2000)

    def floods_results(lines: Iterator[bytes]) -> None:
        hello()
        for n in itertools.count():
            done(forged(n), "n=1", 0)

    def floods_slots(lines: Iterator[bytes]) -> None:
        hello()
        for n in itertools.count():
            say(ev="broken", slot=n % 2, reason="x" * 2000)

    def prints_first(lines: Iterator[bytes]) -> None:
        while True:
            write("x" * 60000 + "\n")

    def speaks_another_version(lines: Iterator[bytes]) -> None:
        hello(muster=999, held=[["?"]])

    def refuses(lines: Iterator[bytes]) -> None:
        say(ev="refused", owner="f" * 16)

    def swaps_chunks(lines: Iterator[bytes]) -> None:
        hello()
        first, second = itertools.islice(starts(lines), 2)
        done(first["id"], second["chunk"], first["slot"])

    def swaps_slots(lines: Iterator[bytes]) -> None:
        hello()
        for start in starts(lines):
            done(start["id"], start["chunk"], start["slot"] + 1)

    def lies_about_hashes(lines: Iterator[bytes]) -> None:
        hello()
        lie_about_hashes(lines)

    def greets_twice(lines: Iterator[bytes]) -> None:
        hello()
        hello()


def main() -> None:
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
