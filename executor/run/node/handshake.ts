import type { Channel, Connection } from "../../../fleet/connection.js";
import { gatherFacts } from "../../../fleet/facts.js";
import { bindGpu } from "../../../fleet/gpus/gpubinding.js";
import { expectGpus, gpuLockName, listVendors } from "../../../fleet/gpus/gpugroups.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Slot } from "../../schedule/events.js";
import type { NodeCapacity } from "../../schedule/slots/capacity.js";
import { findGroup } from "../../schedule/slots/gpukinds.js";
import { gpuMemoryEnvironment } from "../../schedule/slots/nodeslots.js";
import { AgentChannel, type AgentEnd } from "../agent/agentchannel.js";
import { Heartbeat } from "../agent/heartbeat.js";
import type { ExpectedOutputs } from "../agent/linelimits.js";
import {
  type AgentMessage,
  type HelloMessage,
  type KnownCards,
  type OpenCommand,
  PROTOCOL_VERSION,
  type SlotSetup,
} from "../agent/protocol.js";
import { MAX_LOG_BYTES } from "../record/rundir.js";
import { attachProgram, type RunContext, runFolderOn } from "../runcontext.js";
import { RunOverError } from "./runover.js";
import { describeSampling } from "./samplesettings.js";
import { FIRST_CHECK_TIMEOUT_SECONDS, hasGpusToCheck } from "./slotmonitor.js";
import { stopAgent } from "./stopagent.js";

/** Outputs and logs up to this size are sent over the agent's channel, with their manifest. */
const MAX_INLINE_BYTES = 16 << 10;
/** How often an agent tells how far its attempts are, at most. */
const PROGRESS_INTERVAL_SECONDS = 3;

function buildOpenCommand(
  node: Node,
  run: RunContext,
  { slots, limit }: NodeCapacity,
  cards: KnownCards[],
): OpenCommand {
  return {
    op: "open",
    run: run.name,
    nonce: run.nonce,
    nonces: run.nonces,
    lease: node.leaseSeconds,
    max: limit,
    priority: run.priority,
    env: node.env,
    slots: slots.map((slot) => ({
      slot: slot.slot,
      ...describeGpu(node, slot),
      lock: lockName(node, slot),
    })),
    ...describeCards(node, slots, cards),
    progress: PROGRESS_INTERVAL_SECONDS,
    samples: describeSampling(node),
    inline: MAX_INLINE_BYTES,
    log: MAX_LOG_BYTES,
    cache: node.cacheBytes,
  };
}

/** Returns the GPU of a slot, its binding, and what it adds to the environment of the node. A chunk sees no GPU of another vendor. */
function describeGpu(node: Node, slot: Slot): Omit<SlotSetup, "slot" | "lock"> {
  const profile = findGroup(node, slot)?.profile;
  const gpu = slot.card?.device ?? slot.gpu;
  const device = gpu === undefined ? undefined : (node.allocation?.devices?.[gpu] ?? gpu);
  const bindings = listVendors(node).map((one) => bindGpu(one, profile?.vendor === one ? device : undefined));
  const memory = profile === undefined ? {} : gpuMemoryEnvironment(profile, slot);
  return {
    env: { ...Object.assign({}, ...bindings), ...memory },
    ...(slot.card === undefined ? {} : { defaults: findGroup(node, slot)?.env }),
    gpu,
    ...(profile === undefined || profile.vendor === "none" ? {} : { vendor: profile.vendor }),
  };
}

/**
 * Returns the name of a slot's lock between runs. The CPU slots of a machine are numbered apart from its GPUs, and so are those of each
 * vendor where it has GPUs of two.
 */
function lockName(node: Node, { gpu, cpu, card }: Slot): string | undefined {
  // Slurm gives a GPU or core to one allocation, and several of a run may be on one machine.
  if (node.allocation !== undefined) return undefined;
  if (gpu === undefined) return cpu === undefined ? undefined : `cpu-${cpu}`;
  if (card === undefined) return `${gpu}`;
  return gpuLockName(node, card.vendor, card.device);
}

function describeCards(node: Node, slots: Slot[], cards: KnownCards[]): Pick<OpenCommand, "cards" | "examine"> {
  if (listVendors(node).length === 0 || slots.every(({ gpu }) => gpu === undefined)) return {};
  if (node.allocation !== undefined && node.pci === undefined) return {};
  const known =
    cards.length > 0 ? cards : expectGpus(node).map(({ vendor, addresses }) => ({ vendor, pci: addresses }));
  if (node.allocation !== undefined) return { cards: known.map((one) => ({ ...one, bound: true })) };
  return { cards: known, examine: hasGpusToCheck(node, slots) ? FIRST_CHECK_TIMEOUT_SECONDS : undefined };
}

/** What is known from earlier attachments to a node: its boot id, and the PCI addresses of its GPUs by index. */
export interface PreviousAttachment {
  bootId: string | undefined;
  cards: KnownCards[];
}

/** What an agent is started with. `signal`: fires with a RunOverError when it is not needed any more. */
export interface AgentStart {
  capacity: NodeCapacity;
  previous: PreviousAttachment;
  signal?: AbortSignal;
}

/** An agent that has accepted this coordinator. `ended` resolves with the reason when it sends no more messages. */
export interface AcceptedAgent {
  agent: AgentChannel;
  hello: HelloMessage;
  ended: Promise<AgentEnd>;
}

/** How an agent answers `open`. `ended`: the channel has ended without an answer. */
type OpenReply = HelloMessage | Extract<AgentMessage, { ev: "refused" }> | { ev: "ended"; end: AgentEnd };

const HELLO_TIMEOUT_MS = 30_000;
/** How many attempts an agent may hold: a few for each slot, and results that have not been collected yet. */
const MAX_HELD_PER_SLOT = 64;
const MAX_HELD_RESULTS = 4096;

const OTHER_VERSION_WARNING =
  "an agent of another version of muster was at work; it was stopped, and what it ran is run again";
const OTHER_SLOTS_WARNING =
  "its slots have other numbers than in the last session; its agent was stopped, and what that ran is run again";

/**
 * Attaches to the run's agent on a node, and starts one where none runs: the agent's program is sent over a new channel, and
 * attaches to the running agent or becomes it. An agent of another version, or whose slots have other locks, is stopped first.
 * Rejects with
 * - SUPERSEDED where the agent belongs to another copy of the run directory,
 * - PROTOCOL where what answers is not an agent,
 * - WORKDIR where other users of the node could interfere with the run's folder,
 * - the reason of `signal` once that has fired; an agent that has started by then is told to stop, if the reason says so,
 * - the error of gathering facts where python is why no agent starts, and otherwise NO_AGENT.
 */
export async function startAgent(
  connection: Connection,
  run: RunContext,
  { capacity, previous, signal }: AgentStart,
  receive: (message: AgentMessage) => void,
): Promise<AcceptedAgent> {
  const { node } = connection;
  const root = runFolderOn(run.id, node);
  const open = buildOpenCommand(node, run, capacity, previous.cards);
  const { args, stdin } = attachProgram(run.agent, node);
  const attach = async () => {
    const channel = await connection.open([node.python, ...args, root]);
    signal?.throwIfAborted();
    channel.stdin.write(stdin);
    return exchangeHello(channel, open, { silenceSeconds: node.silenceSeconds, outputs: run.outputs, signal }, receive);
  };
  let { reply, agent, ended } = await attach();
  const unsuitable = reply.ev === "hello" ? findUnsuitability(reply, open.slots) : undefined;
  if (unsuitable !== undefined) {
    receive({ ev: "problem", message: unsuitable });
    agent.detach();
    await stopAgent(connection, run.agent, root);
    ({ reply, agent, ended } = await attach());
  }
  signal?.throwIfAborted();
  switch (reply.ev) {
    case "hello":
      if (reply.muster === PROTOCOL_VERSION) return { agent, hello: reply, ended };
      agent.detach();
      throw createProtocolError(node, `it has version ${reply.muster}, but version ${PROTOCOL_VERSION} was started`);
    case "refused":
      // A new run that has never been attached here cannot have been continued from another copy.
      if ((run.nonces.length === 1 && previous.bootId === undefined) || run.nonces.includes(reply.owner))
        throw createProtocolError(node, "it refuses the only coordinator that it can belong to");
      throw createSupersededError(node);
    case "ended":
      if (reply.end.kind === "violation") throw createProtocolError(node, reply.end.reason);
      throw parseRefusal(reply.end.reason) ?? (await diagnoseNoAgent(connection, reply.end.reason));
    default:
      return reply satisfies never;
  }
}

/** Returns why an agent that has answered must be stopped; undefined = it can be used. */
function findUnsuitability({ muster, locks = {} }: HelloMessage, slots: readonly SlotSetup[]): string | undefined {
  if (muster !== PROTOCOL_VERSION) return OTHER_VERSION_WARNING;
  const isChanged = slots.some(({ slot, lock }) => locks[slot] !== undefined && locks[slot] !== lock);
  return isChanged ? OTHER_SLOTS_WARNING : undefined;
}

/** Returns why no agent started. Rejects with the error of gathering facts where python is the cause. */
async function diagnoseNoAgent(connection: Connection, reason: string): Promise<MusterError> {
  await gatherFacts(connection, "without-gpus");
  return new MusterError("NO_AGENT", `the agent did not start: ${reason}`);
}

/** Returns the error that templates/muster_agent/attach.py printed before it ended; undefined where it printed none. */
function parseRefusal(output: string): MusterError | undefined {
  const line = /^.*\bmuster-refused (\{.*\})$/m.exec(output)?.[1];
  try {
    const { reason, next } = JSON.parse(line ?? "") as Record<string, unknown>;
    if (typeof reason === "string" && typeof next === "string") return new MusterError("WORKDIR", reason, { next });
  } catch {}
  return undefined;
}

/** Sends `open` and waits for the reply. Passes every message that is not part of the handshake to `receive`. */
async function exchangeHello(
  channel: Channel,
  open: OpenCommand,
  { silenceSeconds, outputs, signal }: { silenceSeconds: number; outputs: ExpectedOutputs; signal?: AbortSignal },
  receive: (message: AgentMessage) => void,
): Promise<{ reply: OpenReply; agent: AgentChannel; ended: Promise<AgentEnd> }> {
  let handleReply: (reply: OpenReply) => void = () => {};
  let handleEnd: (end: AgentEnd) => void = () => {};
  const replied = new Promise<OpenReply>((resolve) => {
    handleReply = resolve;
  });
  const ended = new Promise<AgentEnd>((resolve) => {
    handleEnd = (end) => {
      resolve(end);
      handleReply({ ev: "ended", end });
    };
  });
  const heartbeat = new Heartbeat(
    Math.min(silenceSeconds, open.lease) / 4,
    () => agent.send({ op: "ping" }),
    (reason) => {
      handleEnd({ kind: "lost", reason });
      channel.destroy();
    },
  );
  const pages = new HelloPages(open.slots.length * MAX_HELD_PER_SLOT + MAX_HELD_RESULTS);
  const agent = new AgentChannel(
    channel,
    (message) => {
      heartbeat.recordMessage();
      if (message.ev === "refused") return handleReply(message);
      if (message.ev !== "hello" && message.ev !== "held") return receive(message);
      const page = pages.add(message);
      if (page.kind === "violation") agent.closeForViolation(page.reason);
      else if (page.kind === "complete") handleReply(page.hello);
    },
    (end) => {
      heartbeat.stop();
      handleEnd(end);
    },
    outputs,
  );
  agent.send(open);
  const abandon = () => {
    if (signal?.reason instanceof RunOverError && signal.reason.stopsAgent) agent.send({ op: "stop" });
    agent.detach();
    handleEnd({ kind: "lost", reason: "the run is over" });
  };
  signal?.addEventListener("abort", abandon);
  const timer = setTimeout(() => channel.destroy(), HELLO_TIMEOUT_MS);
  const reply = await replied;
  clearTimeout(timer);
  signal?.removeEventListener("abort", abandon);
  return { reply, agent, ended };
}

type PageResult =
  | { kind: "incomplete" }
  | { kind: "complete"; hello: HelloMessage }
  | { kind: "violation"; reason: string };

/** Assembles a hello whose list of held attempts comes in pages. */
class HelloPages {
  private hello: HelloMessage | undefined;
  private isComplete = false;

  constructor(private readonly maxHeld: number) {}

  /** Adds a page; the last one completes the hello. */
  add(message: HelloMessage | Extract<AgentMessage, { ev: "held" }>): PageResult {
    if (this.isComplete || (message.ev === "hello") !== (this.hello === undefined))
      return { kind: "violation", reason: "it said hello out of turn" };
    if (message.ev === "hello") this.hello = message;
    else this.hello!.held.push(...message.attempts);
    const hello = this.hello!;
    const count = hello.held.length;
    if (count > this.maxHeld)
      return { kind: "violation", reason: `it claims to hold ${count} attempts, more than it can have been given` };
    this.isComplete = message.more !== true;
    return this.isComplete ? { kind: "complete", hello } : { kind: "incomplete" };
  }
}

function createSupersededError(node: Node): MusterError {
  return new MusterError("SUPERSEDED", "another copy of this run directory has continued since", {
    node: node.name,
    next: "Continue that copy, or run this one with --adopt: what the other one has on the nodes is stopped and computed again here.",
  });
}

/** Creates the error for a node whose agent breaks the protocol; such a node is refused. */
export function createProtocolError(node: Node, reason: string): MusterError {
  return new MusterError("PROTOCOL", `refused, because its agent broke the protocol: ${reason}`, {
    node: node.name,
    next: `Check what runs as ${node.python} on that node, and that nobody else controls it.`,
  });
}
