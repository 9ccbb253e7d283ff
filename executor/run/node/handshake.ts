import type { Channel, Connection } from "../../../fleet/connection.js";
import { gatherFacts } from "../../../fleet/facts.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Slot } from "../../schedule/events.js";
import { gpuEnvironment } from "../../schedule/slots/nodeslots.js";
import { AgentChannel, type AgentEnd } from "../agent/agentchannel.js";
import { Heartbeat } from "../agent/heartbeat.js";
import { type AgentCommand, type AgentMessage, PROTOCOL_VERSION } from "../agent/protocol.js";
import { MAX_LOG_BYTES } from "../results/chunklogs.js";
import { type RunContext, runFolderOn } from "../runcontext.js";
import { FIRST_CHECK_TIMEOUT_SECONDS, vendorToCheck } from "./gpuhealth.js";
import { stopAgent } from "./stopagent.js";

/** Outputs and logs up to this many bytes ride on the agent channel beside their manifest. */
const MAX_INLINE_BYTES = 16 << 10;

function buildOpenCommand(node: Node, run: RunContext, slots: Slot[], cards: string[]): OpenCommand {
  return {
    op: "open",
    run: run.name,
    nonce: run.nonce,
    nonces: run.nonces,
    lease: node.leaseSeconds,
    max: node.maxConcurrent,
    priority: run.priority,
    env: node.env,
    slots: slots.map((slot) => ({
      slot: slot.slot,
      env: gpuEnvironment(node.profile.vendor, slot),
      gpu: slot.gpu,
      lock: slot.gpu === undefined ? undefined : `${slot.gpu}`,
    })),
    ...describeCards(node, slots, cards),
    inline: MAX_INLINE_BYTES,
    log: MAX_LOG_BYTES,
  };
}

function describeCards(node: Node, slots: Slot[], cards: string[]): Pick<OpenCommand, "cards" | "examine"> {
  const { vendor } = node.profile;
  if (vendor === "none" || slots.every(({ gpu }) => gpu === undefined)) return {};
  const pci = cards.length > 0 ? cards : (node.pci ?? []);
  return { cards: { vendor, pci }, examine: vendorToCheck(node, slots) && FIRST_CHECK_TIMEOUT_SECONDS };
}

export type HelloMessage = Extract<AgentMessage, { ev: "hello" }>;
type OpenCommand = Extract<AgentCommand, { op: "open" }>;

/** What is known of a node before it is attached to: its boot id then, and PCI addresses of its GPUs by index. */
export interface PreviousAttachment {
  bootId: string | undefined;
  cards: string[];
}

/** An agent that has accepted this coordinator; `gone` resolves with the reason when no more will come from it. */
export interface AcceptedAgent {
  agent: AgentChannel;
  hello: HelloMessage;
  ended: Promise<AgentEnd>;
}

/** How an agent answers `open`: or it does not, and the channel ends. */
type OpenReply = HelloMessage | Extract<AgentMessage, { ev: "refused" }> | { ev: "ended"; end: AgentEnd };

const HELLO_TIMEOUT_MS = 30_000;
/** Attempts that an agent may hold: a few for each slot, and results that could not be collected yet. */
const MAX_HELD_PER_SLOT = 64;
const MAX_HELD_RESULTS = 4096;

const OTHER_VERSION_WARNING =
  "an agent of another version of muster was at work; it was stopped, and what it ran is run again";

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
  known: PreviousAttachment,
  receive: (message: AgentMessage) => void,
): Promise<AcceptedAgent> {
  const { node } = connection;
  const root = runFolderOn(run.id, node);
  const open = buildOpenCommand(node, run, slots, known.cards);
  const attach = async () => {
    const channel = await connection.open([node.python, ...run.agent.args, root]);
    channel.stdin.write(run.agent.stdin);
    return exchangeHello(channel, open, node.silenceSeconds, receive);
  };
  let { reply, agent, gone } = await attach();
  if (reply.ev === "hello" && reply.muster !== PROTOCOL_VERSION) {
    receive({ ev: "problem", message: OTHER_VERSION_WARNING });
    agent.detach();
    await stopAgent(connection, run.agent, root);
    ({ reply, agent, gone } = await attach());
  }
  switch (reply.ev) {
    case "hello":
      if (reply.muster === PROTOCOL_VERSION) return { agent, hello: reply, ended: gone };
      agent.detach();
      throw createProtocolError(
        node,
        `it is of version ${reply.muster} though it was started as version ${PROTOCOL_VERSION}`,
      );
    case "refused":
      // Nobody can have continued elsewhere what has only begun, and was never here.
      if ((run.nonces.length === 1 && known.bootId === undefined) || run.nonces.includes(reply.owner))
        throw createProtocolError(node, "it refuses the only coordinator that it can belong to");
      throw createSupersededError(node);
    case "ended":
      if (reply.end.kind === "violation") throw createProtocolError(node, reply.end.reason);
      throw parseRefusal(reply.end.reason) ?? (await diagnoseNoAgent(connection, reply.end.reason));
  }
}

/** Rejects with what a look at the node says where python is the reason. */
async function diagnoseNoAgent(connection: Connection, reason: string): Promise<MusterError> {
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
async function exchangeHello(
  channel: Channel,
  open: OpenCommand,
  silence: number,
  receive: (message: AgentMessage) => void,
): Promise<{ reply: OpenReply; agent: AgentChannel; gone: Promise<AgentEnd> }> {
  let answer: (reply: OpenReply) => void = () => {};
  let go: (end: AgentEnd) => void = () => {};
  const answered = new Promise<OpenReply>((resolve) => {
    answer = resolve;
  });
  const gone = new Promise<AgentEnd>((resolve) => {
    go = (end) => {
      resolve(end);
      answer({ ev: "ended", end });
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
  const pages = new HelloPages(open.slots.length * MAX_HELD_PER_SLOT + MAX_HELD_RESULTS);
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
  private hello: HelloMessage | undefined;
  private isComplete = false;

  constructor(private readonly maxHeld: number) {}

  /** The whole hello with its last page, nothing before that; or what the agent did wrong. */
  add(message: HelloMessage | Extract<AgentMessage, { ev: "held" }>): HelloMessage | string | undefined {
    if (this.isComplete || (message.ev === "hello") !== (this.hello === undefined)) return "it said hello out of turn";
    if (message.ev === "hello") this.hello = message;
    else this.hello!.held.push(...message.attempts);
    const { held } = this.hello!;
    if (held.length > this.maxHeld)
      return `it claims to hold ${held.length} attempts, more than it can have been given`;
    this.isComplete = message.more !== true;
    return this.isComplete ? this.hello : undefined;
  }
}

function createSupersededError(node: Node): MusterError {
  const message = `${node.name}: another copy of this run directory has continued since`;
  return new MusterError("SUPERSEDED", 75, message, {
    next: "Continue that copy, or run this one with --adopt: what the other one has on the nodes is stopped and computed again here.",
  });
}

/** What answers for the agent breaks the protocol: the node is not used any more. */
export function createProtocolError(node: Node, reason: string): MusterError {
  return new MusterError("PROTOCOL", 69, `${node.name}: refused, because its agent broke the protocol: ${reason}`, {
    next: `Check what runs as ${node.python} on that node, and that nobody else controls it.`,
  });
}
