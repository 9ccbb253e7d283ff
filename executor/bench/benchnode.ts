import { join } from "node:path";
import type { Node } from "../../fleet/node.js";
import { MusterError } from "../../schemas/errors.js";
import type { BenchCard, BenchedCard, CardPass, PassKind } from "./benchcards.js";
import type { BenchLoad } from "./benchload.js";
import { measurePass, type PassResult } from "./measurepass.js";

/** Changes the power limits of a node's cards. */
export interface PowerLimiter {
  /** Sets the limit of all cards of the node, and verifies it. Rejects with a MusterError. */
  set(watts: number): Promise<void>;
  /** Why the cards do not have the limit that was set any more; undefined = they have it. */
  findChange(): Promise<string | undefined>;
  /** Gives the cards the limits back that they had. Rejects with a MusterError that says what they have now. */
  restore(): Promise<void>;
}

/** What is measured on every node. */
export interface BenchPlan {
  load: BenchLoad;
  /** What all cards compute at once: the load again, or longer. */
  fullLoad: BenchLoad;
  /** Seconds that a user's job is to be repeated for at full load; undefined = once. */
  burnSeconds: number | undefined;
}

/** The power limits, in watts, that a node's cards are given, and what gives them; or why they are given none. */
export type LimitPlan = { caps: readonly number[]; start: () => Promise<PowerLimiter> } | { refusal: string };

/** A node that is measured. `limits`: undefined = they are not changed. */
export interface BenchedNode {
  node: Node;
  cards: readonly BenchCard[];
  limits: LimitPlan | undefined;
}

export interface BenchContext {
  folder: string;
  signal: AbortSignal;
  /** Called when a pass begins. */
  onPass(node: string, pass: PassKind): void;
}

/** What was measured on a node. `problems`: what kept passes from being complete. */
export interface NodeFindings {
  node: string;
  cards: BenchedCard[];
  problems: MusterError[];
}

/** The most often that a card repeats a user's job. */
const MAX_ROUNDS = 10_000;

/**
 * Measures the cards of a node: one after the other, then all that work at once, then these at each power limit. Its promise rejects only for
 * bugs.
 */
export async function benchNode(
  { node, cards, limits }: BenchedNode,
  plan: BenchPlan,
  context: BenchContext,
): Promise<NodeFindings> {
  const passes: { kind: PassKind; result: PassResult }[] = [];
  const problems: MusterError[] = [];
  let slots = cards.map(({ slot }) => slot);
  const measure = async (kind: PassKind, load: BenchLoad, rounds: number) => {
    context.onPass(node.name, kind);
    const folder = join(context.folder, node.name, nameOf(kind));
    return measurePass({ load, node, slots, rounds, order: kind.order, folder, signal: context.signal });
  };
  const keep = (kind: PassKind, result: PassResult) => {
    passes.push({ kind, result });
    if (result.problem !== undefined) problems.push(result.problem);
  };
  const canGoOn = () => !context.signal.aborted && problems.length === 0;
  const alone = await measure({ order: "alone" }, plan.load, 1);
  keep({ order: "alone" }, alone);
  slots = slots.filter((slot) => alone.measurements.some((one) => one.slot === slot));
  const isWorking = slots.length > 0;
  if (canGoOn() && isWorking)
    keep({ order: "together" }, await measure({ order: "together" }, plan.fullLoad, countRounds(alone, plan)));
  if (limits !== undefined && "refusal" in limits)
    problems.push(new MusterError("REFUSED", `no power limits were measured: ${limits.refusal}`));
  else if (limits !== undefined && canGoOn() && isWorking) {
    try {
      for await (const { kind, result } of measureCaps(limits, (kind) => measure(kind, plan.load, 1), canGoOn))
        keep(kind, result);
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      problems.push(error);
    }
  }
  return { node: node.name, cards: cards.map((card) => ({ ...card, passes: listPasses(card, passes) })), problems };
}

/** Measures at each limit, and restores the limits whatever happens. */
async function* measureCaps(
  { caps, start }: Exclude<LimitPlan, { refusal: string }>,
  measure: (kind: PassKind) => Promise<PassResult>,
  canGoOn: () => boolean,
): AsyncGenerator<{ kind: PassKind; result: PassResult }> {
  const limiter = await start();
  try {
    for (const capWatts of caps) {
      await limiter.set(capWatts);
      if (!canGoOn()) return;
      const kind = { order: "together", capWatts } as const;
      const result = await measure(kind);
      const change = await limiter.findChange();
      if (change !== undefined)
        throw new MusterError("COMMAND", `the power limit of ${capWatts} W did not last: ${change}`);
      yield { kind, result };
      if (!canGoOn()) return;
    }
  } finally {
    await limiter.restore();
  }
}

/** Of a user's job, a burn is as many repetitions as take that long. */
function countRounds({ measurements }: PassResult, { burnSeconds, load }: BenchPlan): number {
  if (burnSeconds === undefined || load.units === undefined || measurements.length === 0) return 1;
  const slowest = Math.max(...measurements.map(({ seconds }) => seconds), 0.01);
  return Math.min(MAX_ROUNDS, Math.max(1, Math.ceil(burnSeconds / slowest)));
}

function listPasses({ slot }: BenchCard, passes: readonly { kind: PassKind; result: PassResult }[]): CardPass[] {
  return passes.map(({ kind, result }) => {
    const failure = result.failures.find((one) => one.slot === slot)?.reason;
    const measurements = result.measurements.filter((one) => one.slot === slot);
    return { ...kind, measurements, ...(failure === undefined ? {} : { failure }) };
  });
}

function nameOf(kind: PassKind): string {
  if (kind.order === "alone") return "alone";
  return kind.capWatts === undefined ? "together" : `together-${kind.capWatts}W`;
}
