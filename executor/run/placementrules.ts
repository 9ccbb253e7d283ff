import { describeDrain } from "../../fleet/drains.js";
import type { Node } from "../../fleet/node.js";
import { formatDuration } from "../../schemas/numbertext.js";
import type { Chunk, Job } from "../job/job.js";
import { findNodeRefusal, findPinRefusal, type NodeMatcher } from "../schedule/slots/nodeslots.js";
import type { ChunkAttempt } from "./record/chunkattempts.js";
import { ENDS_TOO_SOON, type LiveNode, type LiveRun, type LiveSlot } from "./record/liverun.js";

/** A slot, or a whole node (without `slot`), and every rule that keeps a chunk from it; no reasons = it may have the chunk. */
export interface JudgedSlot {
  node: string;
  slot?: number;
  gpu?: number;
  /** Units a second, as it was measured. */
  rate?: number;
  /** The chunk that it runs. */
  runs?: string;
  reasons: string[];
}

/** What the rules need of a chunk. `expectedSeconds`: as the job says; `units`: of a range. */
export type JudgedChunk = Pick<Chunk, "id" | "gpu" | "expectedSeconds"> & { readonly units?: number };

/** What the rules are applied to. */
export interface PlacementFacts {
  /** undefined = it cannot be loaded; rules that need it are left out. */
  job: Pick<Job, "needs"> | undefined;
  chunk: JudgedChunk;
  /** Of the inventory, with the drains of now. */
  nodes: readonly Node[];
  isSelected: NodeMatcher;
  live: LiveRun;
  /** At this chunk. */
  attempts: readonly ChunkAttempt[];
  /** The time of day. */
  nowMs: number;
}

/** Judges every slot of a run for a chunk, and every node that has none. */
export function judgeSlots(facts: PlacementFacts): JudgedSlot[] {
  const { live, nodes } = facts;
  const known = new Set(live.nodes.map(({ node }) => node));
  const left = nodes.filter(({ name }) => !known.has(name));
  return [
    // A pilot that has ended does not come back.
    ...live.nodes.filter(({ state }) => state !== "ended").flatMap((node) => judgeNode(node, facts)),
    ...left.map((node) => ({ node: node.name, reasons: [explainAbsence(node, facts)] })),
  ];
}

function judgeNode(live: LiveNode, facts: PlacementFacts): JudgedSlot[] {
  const slots = facts.live.slots.filter((slot) => slot.node === live.node);
  const node = facts.nodes.find(({ name }) => name === live.node);
  const shared = [explainState(live), explainDrain(live, node), explainLimit(live, node)];
  const reasons = shared.filter((reason) => reason !== undefined);
  if (slots.length === 0) return [{ node: live.node, reasons: reasons.length > 0 ? reasons : ["it has no slot yet"] }];
  return slots.map((slot) => judgeSlot(slot, live, reasons, facts));
}

function judgeSlot(live: LiveSlot, home: LiveNode, shared: readonly string[], facts: PlacementFacts): JudgedSlot {
  const { node, slot, gpu, rate, running } = live;
  const reasons = [
    ...shared,
    findPinRefusal(facts.chunk, live),
    explainUnusable(live),
    explainDeadline(live, home, facts),
    running === undefined || running.chunk === facts.chunk.id ? undefined : "it runs another chunk",
    explainFailures(live, facts.attempts),
  ].filter((reason) => reason !== undefined);
  return {
    node,
    slot,
    ...(gpu === undefined ? {} : { gpu }),
    ...(rate === undefined ? {} : { rate }),
    ...(running === undefined ? {} : { runs: running.chunk }),
    reasons,
  };
}

/** Why a node of the inventory takes no part in the run. */
function explainAbsence(node: Node, { job, isSelected }: PlacementFacts): string {
  const refusal = job && findNodeRefusal(node, job.needs, isSelected);
  return refusal ?? "it takes no part in this session (--limit, or added to the inventory since)";
}

function explainState({ state, reason }: LiveNode): string | undefined {
  if (state === "live") return undefined;
  return reason === undefined ? `it is ${state}` : `it is ${state}: ${reason}`;
}

function explainDrain({ drained }: LiveNode, node: Node | undefined): string | undefined {
  const text = drained ?? (node?.drain && describeDrain(node.drain));
  return text === undefined ? undefined : `it is ${text}`;
}

function explainLimit({ running }: LiveNode, node: Node | undefined): string | undefined {
  const limit = node?.maxConcurrent;
  return limit !== undefined && running >= limit ? `max_concurrent is ${limit}, and ${running} chunks run` : undefined;
}

/** What the coordinator says of a slot. That its node is away or drained was said already. */
function explainUnusable({ reason }: LiveSlot): string | undefined {
  if (reason === undefined || reason === ENDS_TOO_SOON || /^its node is (not connected|drained)/.test(reason))
    return undefined;
  return reason.startsWith("waits for") ? `it ${reason}` : `it is out of use: ${reason}`;
}

/**
 * Nothing starts that would not end before its node does. A chunk that runs there already was started in time; a slot is also called
 * ending while nobody knows how long its chunk will take, which says nothing about its node.
 */
function explainDeadline(
  { reason, rate, running }: LiveSlot,
  { until }: LiveNode,
  { chunk, nowMs }: PlacementFacts,
): string | undefined {
  if (until === undefined || running?.chunk === chunk.id) return undefined;
  const seconds = Math.max(0, Math.floor((Date.parse(until) - nowMs) / 1000));
  const byRate = chunk.units === undefined || rate === undefined ? undefined : chunk.units / rate;
  const expected = chunk.expectedSeconds ?? byRate;
  const end = `its node ends in ${formatDuration(seconds)}, before`;
  if (expected !== undefined && expected > seconds)
    return `${end} the chunk would (expected ${formatDuration(expected)})`;
  return reason === ENDS_TOO_SOON && running === undefined ? `${end} another chunk would` : undefined;
}

/** A chunk that has failed goes elsewhere while another slot can have it. */
function explainFailures({ node, slot }: LiveSlot, attempts: readonly ChunkAttempt[]): string | undefined {
  const failed = attempts.filter((one) => one.state === "failed" && one.node === node && one.slot === slot);
  if (failed.length === 0) return undefined;
  const numbers = failed.map(({ attempt }) => attempt).join(", ");
  return `${failed.length === 1 ? "attempt" : "attempts"} ${numbers} of the chunk failed there: others come first`;
}
