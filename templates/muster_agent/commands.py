"""What a coordinator can ask for (executor/run/agent/protocol.ts)."""
import json
import os
import re

from . import ranges
from .attempt import Attempt
from .processes import stat_fields
from .spec import Spec

PAGE = 100  # held attempts in one message
PROTOCOL = 2  # executor/run/agent/protocol.ts
SHA256 = re.compile(r"[0-9a-f]{64}\Z")
SAFE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\Z")


class Commands:
    """A method for each `op`. Specs that have a name are kept here."""

    def __init__(self, boot, settings, store, link, slots, ledger, ending, trash, shutdown, look, memory, cards, cardwatch, owner):
        self.boot, self.settings, self.store, self.link, self.slots = boot, settings, store, link, slots
        self.ledger, self.ending, self.trash, self.shutdown, self.look, self.memory = ledger, ending, trash, shutdown, look, memory
        self.cards, self.cardwatch, self.owner = cards, cardwatch, owner
        self.specs = {}

    def refusal(self, message):
        """What to answer to the first line of a coordinator that may not attach, or None. Whoever knows the socket may stop the
        agent."""
        if message["op"] == "stop" or (message["op"] == "open" and self.owner.accepts(message["nonces"])):
            return None
        return {"ev": "refused", "owner": self.owner.nonce}

    def greet(self):
        """The `hello` to a coordinator that has come, and what it may have missed."""
        held = self.ledger.held()
        self.link.send({
            "ev": "hello", "muster": PROTOCOL, "boot": self.boot, "pid": os.getpid(), "started": int(stat_fields("self")[19]),
            "root": self.settings.root, "held": held[:PAGE], "more": len(held) > PAGE,
        })  # fmt: skip
        for at in range(PAGE, len(held), PAGE):
            self.link.send({"ev": "held", "attempts": held[at : at + PAGE], "more": len(held) > at + PAGE})
        self.ledger.tell_again()
        self.slots.announce()

    def hear(self, line):
        """Does what a line says. One that makes no sense is answered, and changes nothing."""
        if self.shutdown.done:
            return
        try:
            message = json.loads(line)
            getattr(self, "do_" + message["op"])(message)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self.link.problem("a line was not understood: {}: {}".format(type(error).__name__, error))

    def do_open(self, message):
        self.owner.become(message["nonce"])
        self.settings.open(message)
        self.slots.set_up(message["slots"], message.get("examine", 0))
        if "cards" in message:
            self.cards.set_up(message["cards"]["vendor"], message["cards"]["pci"])
            self.cardwatch.set_up()
        for spec in self.specs.values():
            spec.environments.clear()

    def do_spec(self, message):
        self.specs[message["id"]] = self.memory.sort(Spec(message["spec"]))

    def do_put(self, message):
        sha = message["sha256"]
        if not SHA256.match(sha):
            raise ValueError("no SHA-256")
        self.store.put(sha, message["data"])

    def do_start(self, message):
        id, given = message["id"], message["spec"]
        if not SAFE_ID.match(id):
            raise ValueError("unsafe attempt id")
        known = self.ledger.attempts.get(id)
        if known:
            if known.line is not None:
                self.link.relay([known.line])
            return
        spec = self.specs.get(given) if isinstance(given, str) else self.memory.sort(Spec(given))
        attempt = Attempt(id, message["chunk"], message["slot"], spec, message["args"])
        self.ledger.attempts[id] = attempt
        refusal = self.slots.refusal(attempt.slot)
        if spec is None:
            self.ledger.fail(attempt, "the agent was never told the spec " + repr(given))
        elif refusal is not None:
            attempt.canceled = attempt.slot in self.slots.by_number  # broken: no fault of the chunk
            self.ledger.fail(attempt, refusal)
        else:
            self.slots.enqueue(attempt)

    def do_ack(self, message):
        for id in message["ids"]:
            attempt = self.ledger.acknowledge(id)
            if attempt:
                self.trash.attempts.append(attempt)

    def do_cancel(self, message):
        for id in message["ids"]:
            attempt = self.ledger.attempts.get(id)
            if attempt:
                self.ending.cancel(attempt)

    def do_ping(self, _):
        self.link.send({"ev": "pong"})

    def do_withdraw(self, message):
        for id in message["ids"]:
            attempt = self.ledger.attempts.get(id)
            if attempt and attempt.phase == "queued":
                self.ending.cancel(attempt)

    def do_look(self, message):
        self.look.begin(message["scripts"], message["seconds"])

    def do_examined(self, _):
        self.slots.examined_at = 0.0

    def do_split(self, message):
        attempt = self.ledger.attempts.get(message["id"])
        if attempt is None:
            return
        answer = {"ev": "split", "id": attempt.id}
        try:
            end = ranges.give_away(attempt, message["share"]) if attempt.phase == "running" else None
            if end is not None:
                answer["end"] = str(end)
        except BlockingIOError:
            answer["busy"] = True
        self.link.send(answer)

    def do_stop(self, _):
        self.shutdown.by_order()
