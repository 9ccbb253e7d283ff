import type { Channel, Connection } from "../../../fleet/connection.js";
import { gatherFacts } from "../../../fleet/facts.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Slot } from "../../schedule/events.js";
import { bindEnv } from "../../schedule/slots/slots.js";
import { AgentChannel } from "../agent/agent.js";
import type { FromAgent, ToAgent } from "../agent/protocol.js";
import { Pulse } from "../agent/pulse.js";
import { type RunContext, rootOf } from "../context.js";
import { LOG_LIMIT } from "../results/logs.js";
import { EXAMINE, examined } from "./gpuwatch.js";

/** Outputs and logs up to this many bytes ride on the agent channel beside their manifest. */
const INLINE = 16 << 10;

function opening(node: Node, run: RunContext, slots: Slot[], cards: string[]): Open {
  return {
    op: "open",
    run: run.name,
    session: run.session,
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

/** An agent that has said hello; `gone` resolves with the reason when its channel has ended. */
export interface Greeting {
  agent: AgentChannel;
  hello: Hello;
  gone: Promise<string>;
}

/** Seconds that an agent has to say hello. */
const HELLO = 30;

/**
 * Sends the agent through a new channel and greets it: it attaches to the run's agent on the node, or becomes that.
 * Rejects with NO_AGENT where it does not start, or, where python is the reason, with what a look at the node says of it; with
 * WORKDIR where other users of the node could interfere with the run's folder.
 */
export async function startAgent(
  connection: Connection,
  run: RunContext,
  slots: Slot[],
  cards: string[],
  receive: (message: FromAgent) => void,
): Promise<Greeting> {
  const { node } = connection;
  const channel = await connection.open([node.python, ...run.agent.words, rootOf(run, node)]);
  channel.stdin.write(run.agent.stdin);
  const greeting = await greet(channel, opening(node, run, slots, cards), node.silence, receive);
  if (typeof greeting !== "string") return greeting;
  const refused = parseRefusal(greeting);
  if (refused !== undefined) throw refused;
  await gatherFacts(connection, "without-gpus");
  throw new MusterError("NO_AGENT", 69, `the agent did not start: ${greeting}`);
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

/** Sends `open` and waits for the hello, or answers with why there is none. */
async function greet(
  channel: Channel,
  open: Open,
  silence: number,
  receive: (message: FromAgent) => void,
): Promise<Greeting | string> {
  let answer: (hello: Hello) => void = () => {};
  let go: (reason: string) => void = () => {};
  const answered = new Promise<Hello>((resolve) => {
    answer = resolve;
  });
  const gone = new Promise<string>((resolve) => {
    go = resolve;
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
      if (message.ev === "hello") answer(message);
      else receive(message);
    },
    (reason) => {
      pulse.stop();
      go(reason);
    },
  );
  agent.send(open);
  const timer = setTimeout(() => channel.destroy(), HELLO * 1000);
  const hello = await Promise.race([answered, gone]);
  clearTimeout(timer);
  return typeof hello === "string" ? hello : { agent, hello, gone };
}
