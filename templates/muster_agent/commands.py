"""The commands of the coordinator (docs/protocol.md)."""
from __future__ import annotations

import base64
import json
import os
import re

from .attempts.attempt import Attempt
from .attempts.range_file import give_away
from .attempts.spec import Spec
from .builds.build_request import BuildRequest
from .errors import describe_error
from .processes.process_table import stat_fields
from .workspace.content_store import SHA256
from .workspace.pack import unpack
from .wire import clip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .daemon import Agent
    from .wire import Message

PROTOCOL_VERSION = 14  # schemas/protocol.json
MAX_HELD_PER_MESSAGE = 100
SAFE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\Z")


class Commands:
    """Has a method for each `op`. `specs`: those that have a name."""

    def __init__(self, agent: Agent):
        self.agent = agent
        self.specs: dict[str, Spec] = {}

    def refusal(self, message: Message) -> Message | None:
        """The answer to the first line of a coordinator that may not attach, or None. Any may send `stop`."""
        owner = self.agent.owner
        if message["op"] == "stop" or (message["op"] == "open" and owner.accepts(message["nonces"])):
            return None
        return {"ev": "refused", "owner": owner.nonce}

    def greet(self) -> None:
        """Sends a coordinator that has attached `hello`, and what it may have missed."""
        agent = self.agent
        held = agent.outbox.list_held()
        page = MAX_HELD_PER_MESSAGE
        agent.server.send({
            "ev": "hello", "muster": PROTOCOL_VERSION, "boot": agent.boot, "pid": os.getpid(),
            "started": int(stat_fields("self")[19]), "root": agent.settings.root, "held": held[:page], "more": len(held) > page,
            "cores": len(os.sched_getaffinity(0)), "locks": agent.slots.lock_names(),
        })  # fmt: skip
        for at in range(page, len(held), page):
            agent.server.send({"ev": "held", "attempts": held[at : at + page], "more": len(held) > at + page})
        agent.finder.forget_coordinator()
        agent.outbox.resend()
        agent.in_place.greet()
        agent.slots.announce()
        agent.progress.forget()
        agent.values.forget()
        agent.states.forget_sent()
        agent.sampler.forget_reported()

    def handle(self, line: bytes) -> None:
        """Executes the command of a line. A malformed one is reported, and changes nothing."""
        if self.agent.shutdown.is_done:
            return
        try:
            message = json.loads(line)
            getattr(self, "do_" + message["op"])(message)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self.agent.server.report_problem("a command was not understood: {}: {}".format(type(error).__name__, error))

    def do_open(self, message: Message) -> None:
        agent = self.agent
        agent.owner.change(message["nonce"])
        agent.settings.update(message)
        agent.cache.budget_bytes = message.get("cache")
        agent.slots.set_up(message["slots"], message.get("examine", 0))
        if "cards" in message:
            agent.cards.set_up(message["cards"])
            agent.card_health.set_up()
        agent.sampler.settings_changed()
        for spec in self.specs.values():
            spec.environments.clear()

    def do_spec(self, message: Message) -> None:
        self.specs[message["id"]] = self.agent.memory.classify(Spec(message["spec"]))

    def do_find(self, message: Message) -> None:
        self.agent.finder.find(message["id"], [(sha256, size) for sha256, size in message["files"]])

    def do_release(self, message: Message) -> None:
        self.agent.finder.release(message["sha256"])

    def do_put(self, message: Message) -> None:
        sha256, is_last = message["sha256"], not message.get("more", False)
        self.agent.store.put(sha256, message["data"], message.get("offset", 0), is_last)
        if is_last:
            self.agent.finder.release(sha256)

    def do_take(self, message: Message) -> None:
        sha256, size_bytes = message["sha256"], message["size"]
        if not SHA256.match(sha256):
            raise ValueError("no SHA-256")
        agent = self.agent

        def answer(result: bool | OSError) -> None:
            if result is True:
                agent.finder.release(sha256)
            reply: Message = {"ev": "taken", "sha256": sha256, "stored": result is True}
            if isinstance(result, OSError):
                reply["error"] = clip(describe_error(result, "an input cannot be stored"))
            agent.server.send(reply)

        agent.worker.submit(lambda: agent.store.take(sha256, size_bytes), answer)

    def do_unpack(self, message: Message) -> None:
        sha256, agent = message["sha256"], self.agent
        files = [(content, int(size)) for content, size in message["files"]]
        if not all(SHA256.match(content) for content in [sha256] + [content for content, _ in files]):
            raise ValueError("no SHA-256")
        is_deflated = message.get("deflated", False)

        def answer(result: bool | OSError) -> None:
            if result is True:
                for content, _ in files:
                    agent.finder.release(content)
            reply: Message = {"ev": "unpacked", "sha256": sha256, "stored": result is True}
            if isinstance(result, OSError):
                reply["error"] = clip(describe_error(result, "inputs cannot be stored"))
            agent.server.send(reply)

        agent.worker.submit(lambda: unpack(agent.store, sha256, files, is_deflated), answer)

    def do_tree(self, message: Message) -> None:
        sha256, agent = message["sha256"], self.agent

        def find_missing() -> bytes | None:
            return agent.copies.load_tree(sha256).missing(agent.store) if agent.store.has(sha256) else None

        def answer(result: bytes | None | OSError) -> None:
            reply: Message = {"ev": "tree", "sha256": sha256}
            if isinstance(result, OSError):
                reply["error"] = clip(describe_error(result, "the project cannot be stored"))
            elif result is not None:
                reply["missing"] = base64.b64encode(result).decode()
            agent.server.send(reply)

        if sha256 in agent.store.errors:
            return answer(agent.store.errors[sha256])
        agent.worker.submit(find_missing, answer)

    def do_build(self, message: Message) -> None:
        self.agent.builder.handle(BuildRequest(message))

    def do_start(self, message: Message) -> None:
        agent, id, given = self.agent, message["id"], message["spec"]
        if not SAFE_ID.match(id):
            raise ValueError("unsafe attempt id")
        known = agent.outbox.attempts.get(id)
        if known:
            if known.line is not None:
                agent.server.send_lines([known.line])
            return
        spec = self.specs.get(given) if isinstance(given, str) else agent.memory.classify(Spec(given))
        attempt = Attempt(id, message["chunk"], message["slot"], spec, message["args"], message)
        if attempt.slots != sorted(set(attempt.slots)) or attempt.slots[0] != attempt.slot:
            raise ValueError("slots out of order")
        attempt.kept_state = message.get("state")
        agent.outbox.attempts[id] = attempt
        refusal = agent.slots.refusal(attempt)
        if spec is None:
            agent.outbox.fail(attempt, "the agent does not know the spec " + repr(given))
        elif refusal is not None:
            attempt.cancelled = agent.slots.has_slots(attempt)  # the slot is broken, the chunk did not fail
            agent.outbox.fail(attempt, refusal)
        else:
            agent.slots.enqueue(attempt)

    def do_ack(self, message: Message) -> None:
        for id in message["ids"]:
            attempt = self.agent.outbox.acknowledge(id)
            if attempt:
                self.agent.trash.attempts.append(attempt)

    def do_cancel(self, message: Message) -> None:
        for id in message["ids"]:
            attempt = self.agent.outbox.attempts.get(id)
            if attempt:
                attempt.stopped = attempt.stopped or message.get("keep", False)
                self.agent.termination.cancel(attempt)

    def do_ping(self, _: Message) -> None:
        self.agent.server.send({"ev": "pong"})

    def do_withdraw(self, message: Message) -> None:
        for id in message["ids"]:
            attempt = self.agent.outbox.attempts.get(id)
            if attempt and attempt.phase in ("queued", "preparing"):
                self.agent.termination.cancel(attempt)

    def do_look(self, message: Message) -> None:
        self.agent.coordinator_scripts.start(message["scripts"], message["seconds"])

    def do_examined(self, message: Message) -> None:
        if self.agent.cards.add_unknown(message.get("cards", [])):
            self.agent.card_health.set_up()
        self.agent.slots.locks.examined_at = 0.0

    def do_retire(self, _: Message) -> None:
        self.agent.warm.retire_idle()

    def do_split(self, message: Message) -> None:
        attempt = self.agent.outbox.attempts.get(message["id"])
        if attempt is None:
            return
        answer: Message = {"ev": "split", "id": attempt.id}
        try:
            end = give_away(attempt, message["share"]) if attempt.phase == "running" else None
            if end is not None:
                answer["end"] = str(end)
        except BlockingIOError:
            answer["busy"] = True
        self.agent.server.send(answer)

    def do_stop(self, _: Message) -> None:
        self.agent.shutdown.by_order()
