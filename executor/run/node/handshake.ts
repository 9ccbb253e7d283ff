import type { Channel, Connection } from "../../../fleet/connection.js";
import { gatherFacts } from "../../../fleet/facts.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Slot } from "../../schedule/events.js";
import { bindEnv } from "../../schedule/slots/slots.js";
import { AgentChannel } from "../agent/agent.js";
import { type FromAgent, PROTOCOL, type ToAgent } from "../agent/protocol.js";
import { Pulse } from "../agent/pulse.js";
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
      env: bindEnv(node.profile.vendor, slot),
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

export type Hello = Extract<FromAgent, { ev: "hello" }>;
type Open = Extract<ToAgent, { op: "open" }>;

/** An agent that has accepted this coordinator; `gone` resolves with the reason when its channel has ended. */
export interface Handshake {
  agent: AgentChannel;
  hello: Hello;
  gone: Promise<string>;
}

/** How an agent answers `open`: or it does not, and the channel ends. */
type Reply = Hello | Extract<FromAgent, { ev: "refused" }> | { ev: "gone"; reason: string };

const HELLO_TIMEOUT_MS = 30_000;

const OTHER_VERSION = "an agent of another version of muster was at work; it was stopped, and what it ran is run again";

/**
 * Sends the agent through a new channel: it attaches to the run's agent on the node, or becomes that. An agent of another
 * version is stopped first. Rejects with SUPERSEDED where the agent belongs to another copy of the run directory, and with
 * NO_AGENT where it does not start, or, where python is the reason, with what a look at the node says of it.
 */
export async function startAgent(
  connection: Connection,
  run: RunContext,
  slots: Slot[],
  cards: string[],
  receive: (message: FromAgent) => void,
): Promise<Handshake> {
  const { node } = connection;
  const root = rootOf(run.id, node);
  const open = opening(node, run, slots, cards);
  const attach = async () => {
    const channel = await connection.open([node.python, ...run.agent.words, root]);
    channel.stdin.write(run.agent.stdin);
    return shakeHands(channel, open, node.silence, receive);
  };
  let { reply, agent, gone } = await attach();
  if (reply.ev === "hello" && reply.muster !== PROTOCOL) {
    receive({ ev: "problem", message: OTHER_VERSION });
    agent.detach();
    await stopAgent(connection, run.agent, root);
    ({ reply, agent, gone } = await attach());
  }
  if (reply.ev === "hello") return { agent, hello: reply, gone };
  if (reply.ev === "refused") throw superseded(node);
  await gatherFacts(connection, "without-gpus");
  throw new MusterError("NO_AGENT", 69, `the agent did not start: ${reply.reason}`);
}

/** Sends `open`, and waits for the reply. */
async function shakeHands(
  channel: Channel,
  open: Open,
  silence: number,
  receive: (message: FromAgent) => void,
): Promise<{ reply: Reply; agent: AgentChannel; gone: Promise<string> }> {
  let answer: (reply: Reply) => void = () => {};
  let go: (reason: string) => void = () => {};
  const answered = new Promise<Reply>((resolve) => {
    answer = resolve;
  });
  const gone = new Promise<string>((resolve) => {
    go = (reason) => {
      resolve(reason);
      answer({ ev: "gone", reason });
    };
  });
  const pulse = new Pulse(
    Math.min(silence, open.lease) / 4,
    () => agent.send({ op: "ping" }),
    (reason) => {
      go(reason);
      channel.destroy();
    },
  );
  const agent = new AgentChannel(
    channel,
    (message) => {
      pulse.heard();
      if (message.ev === "hello" || message.ev === "refused") answer(message);
      else receive(message);
    },
    (reason) => {
      pulse.stop();
      go(reason);
    },
  );
  agent.send(open);
  const timer = setTimeout(() => channel.destroy(), HELLO_TIMEOUT_MS);
  const reply = await answered;
  clearTimeout(timer);
  return { reply, agent, gone };
}

function superseded(node: Node): MusterError {
  const message = `${node.name}: another copy of this run directory has continued since`;
  return new MusterError("SUPERSEDED", 75, message, {
    next: "Continue that copy, or run this one with --adopt: what the other one has on the nodes is stopped and computed again here.",
  });
}
