import type { Channel, Connection } from "../../../fleet/connection.js";
import { gatherFacts } from "../../../fleet/facts.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Slot } from "../../schedule/events.js";
import { gpuEnvironment } from "../../schedule/slots/nodeslots.js";
import { AgentChannel, type AgentEnd } from "../agent/agentchannel.js";
import { Heartbeat } from "../agent/heartbeat.js";
import { type AgentCommand, type AgentMessage, PROTOCOL_VERSION } from "../agent/protocol.js";
import { type RunContext, rootOf } from "../context.js";
import { LOG_LIMIT } from "../results/logs.js";
import { EXAMINE, examined } from "./gpuwatch.js";
import { stopAgent } from "./stopagent.js";

/** Outputs and logs up to this many bytes ride on the agent channel beside their manifest. */
const INLINE = 16 << 10;

function opening(node: Node, run: RunContext, slots: Slot[], cards: string[]): Open {
  return {
    op: "open",
    run: run.name,
    nonce: run.nonce,
    nonces: run.nonces,
    lease: node.lease,
    max: node.maxConcurrent,
    priority: run.priority,
    env: node.env,
    slots: slots.map((slot) => ({
      slot: slot.slot,
      env: gpuEnvironment(node.profile.vendor, slot),
      gpu: slot.gpu,
      lock: slot.gpu === undefined ? undefined : `${slot.gpu}`,
    })),
    ...cardsOf(node, slots, cards),
    inline: INLINE,
    log: LOG_LIMIT,
  };
}

function cardsOf(node: Node, slots: Slot[], cards: string[]): Pick<Open, "cards" | "examine"> {
  const { vendor } = node.profile;
  if (vendor === "none" || slots.every(({ gpu }) => gpu === undefined)) return {};
  const pci = cards.length > 0 ? cards : (node.pci ?? []);
  return { cards: { vendor, pci }, examine: examined(node, slots) && EXAMINE };
}

export type Hello = Extract<AgentMessage, { ev: "hello" }>;
type Open = Extract<AgentCommand, { op: "open" }>;

/** What is known of a node before it is attached to: its boot id then, and PCI addresses of its GPUs by index. */
export interface Known {
  boot: string | undefined;
  cards: string[];
}

/** An agent that has accepted this coordinator; `gone` resolves with the reason when no more will come from it. */
export interface Handshake {
  agent: AgentChannel;
  hello: Hello;
  gone: Promise<AgentEnd>;
}

/** How an agent answers `open`: or it does not, and the channel ends. */
type Reply = Hello | Extract<AgentMessage, { ev: "refused" }> | { ev: "gone"; end: AgentEnd };

const HELLO_TIMEOUT_MS = 30_000;
/** Attempts that an agent may hold: a few for each slot, and results that could not be collected yet. */
const HELD_PER_SLOT = 64;
const HELD_RESULTS = 4096;

const OTHER_VERSION = "an agent of another version of muster was at work; it was stopped, and what it ran is run again";

/**
 * Sends the agent through a new channel: it attaches to the run's agent on the node, or becomes that. An agent of another
 * version is stopped first. Rejects with SUPERSEDED where the agent belongs to another copy of the run directory, with PROTOCOL
 * where what answers is no agent, with WORKDIR where other users of the node could interfere with the run's folder, and with
 * NO_AGENT where none starts, or, where python is the reason, with what a look at the
 * node says of it.
 */
export async function startAgent(
  connection: Connection,
  run: RunContext,
  slots: Slot[],
  known: Known,
  receive: (message: AgentMessage) => void,
): Promise<Handshake> {
  const { node } = connection;
  const root = rootOf(run.id, node);
  const open = opening(node, run, slots, known.cards);
  const attach = async () => {
    const channel = await connection.open([node.python, ...run.agent.args, root]);
    channel.stdin.write(run.agent.stdin);
    return shakeHands(channel, open, node.silence, receive);
  };
  let { reply, agent, gone } = await attach();
  if (reply.ev === "hello" && reply.muster !== PROTOCOL_VERSION) {
    receive({ ev: "problem", message: OTHER_VERSION });
    agent.detach();
    await stopAgent(connection, run.agent, root);
    ({ reply, agent, gone } = await attach());
  }
  switch (reply.ev) {
    case "hello":
      if (reply.muster === PROTOCOL_VERSION) return { agent, hello: reply, gone };
      agent.detach();
      throw protocolError(
        node,
        `it is of version ${reply.muster} though it was started as version ${PROTOCOL_VERSION}`,
      );
    case "refused":
      // Nobody can have continued elsewhere what has only begun, and was never here.
      if ((run.nonces.length === 1 && known.boot === undefined) || run.nonces.includes(reply.owner))
        throw protocolError(node, "it refuses the only coordinator that it can belong to");
      throw superseded(node);
    case "gone":
      if (reply.end.kind === "violation") throw protocolError(node, reply.end.reason);
      throw parseRefusal(reply.end.reason) ?? (await explainNoAgent(connection, reply.end.reason));
  }
}

/** Rejects with what a look at the node says where python is the reason. */
async function explainNoAgent(connection: Connection, reason: string): Promise<MusterError> {
  await gatherFacts(connection, "without-gpus");
  return new MusterError("NO_AGENT", 69, `the agent did not start: ${reason}`);
}

/** The error that templates/muster_agent/attach.py printed as its last words, if these are such an error. */
function parseRefusal(ending: string): MusterError | undefined {
  const line = /^.*\bmuster-refused (\{.*\})$/m.exec(ending)?.[1];
  try {
    const { reason, next } = JSON.parse(line ?? "") as Record<string, unknown>;
    if (typeof reason === "string" && typeof next === "string") return new MusterError("WORKDIR", 69, reason, { next });
  } catch {}
  return undefined;
}

/** Sends `open`, and waits for the reply. */
async function shakeHands(
  channel: Channel,
  open: Open,
  silence: number,
  receive: (message: AgentMessage) => void,
): Promise<{ reply: Reply; agent: AgentChannel; gone: Promise<AgentEnd> }> {
  let answer: (reply: Reply) => void = () => {};
  let go: (end: AgentEnd) => void = () => {};
  const answered = new Promise<Reply>((resolve) => {
    answer = resolve;
  });
  const gone = new Promise<AgentEnd>((resolve) => {
    go = (end) => {
      resolve(end);
      answer({ ev: "gone", end });
    };
  });
  const pulse = new Heartbeat(
    Math.min(silence, open.lease) / 4,
    () => agent.send({ op: "ping" }),
    (reason) => {
      go({ kind: "lost", reason });
      channel.destroy();
    },
  );
  const pages = new HelloPages(open.slots.length * HELD_PER_SLOT + HELD_RESULTS);
  const agent = new AgentChannel(
    channel,
    (message) => {
      pulse.recordMessage();
      if (message.ev === "refused") return answer(message);
      if (message.ev !== "hello" && message.ev !== "held") return receive(message);
      const hello = pages.add(message);
      if (typeof hello === "string") agent.closeForViolation(hello);
      else if (hello !== undefined) answer(hello);
    },
    (end) => {
      pulse.stop();
      go(end);
    },
  );
  agent.send(open);
  const timer = setTimeout(() => channel.destroy(), HELLO_TIMEOUT_MS);
  const reply = await answered;
  clearTimeout(timer);
  return { reply, agent, gone };
}

/** A hello whose list of held attempts comes in pages. */
class HelloPages {
  private hello: Hello | undefined;
  private isWhole = false;

  constructor(private readonly mostHeld: number) {}

  /** The whole hello with its last page, nothing before that; or what the agent did wrong. */
  add(message: Hello | Extract<AgentMessage, { ev: "held" }>): Hello | string | undefined {
    if (this.isWhole || (message.ev === "hello") !== (this.hello === undefined)) return "it said hello out of turn";
    if (message.ev === "hello") this.hello = message;
    else this.hello!.held.push(...message.attempts);
    const { held } = this.hello!;
    if (held.length > this.mostHeld)
      return `it claims to hold ${held.length} attempts, more than it can have been given`;
    this.isWhole = message.more !== true;
    return this.isWhole ? this.hello : undefined;
  }
}

function superseded(node: Node): MusterError {
  const message = `${node.name}: another copy of this run directory has continued since`;
  return new MusterError("SUPERSEDED", 75, message, {
    next: "Continue that copy, or run this one with --adopt: what the other one has on the nodes is stopped and computed again here.",
  });
}

/** What answers for the agent breaks the protocol: the node is not used any more. */
export function protocolError(node: Node, reason: string): MusterError {
  return new MusterError("PROTOCOL", 69, `${node.name}: refused, because its agent broke the protocol: ${reason}`, {
    next: `Check what runs as ${node.python} on that node, and that nobody else controls it.`,
  });
}
