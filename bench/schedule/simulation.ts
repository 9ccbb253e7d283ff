import type { Attempt, Slot } from "../../executor/schedule/events.js";
import { type Decider, type SimulatedProgram, Simulator } from "../../executor/schedule/plan/simulator.js";
import { slotKey } from "../../executor/schedule/slots/slotstate.js";
import { type Cluster, findEnd } from "./cluster.js";

export interface ClusterModel {
  cluster: Cluster;
  /** The seconds of every chunk before its first unit. */
  overhead: number;
  /** Returns the cost of an attempt in units of a slot's rate, for noise or for tasks that differ. */
  cost: (attempt: Attempt) => number;
  /** Whether workers can split their chunk. */
  divisible: boolean;
  /** The seconds until a disconnected node is lost. */
  grace: number;
}

interface DescribedNode {
  node: string;
  slots: Slot[];
  limit: number;
}

export interface SimulationResult {
  /** The seconds until the last result was committed. */
  makespan: number;
  attempts: number;
  /** The number of committed units. */
  units: bigint;
}

/** Simulates a run of a decider on a cluster with true rates and nodes that leave and return. */
export function simulate(model: ClusterModel, decider: Decider): SimulationResult {
  const { slots, outages } = model.cluster;
  const byKey = new Map(slots.map((slot) => [slotKey(slot.node, slot.slot), slot]));
  const result = { attempts: 0, units: 0n, makespan: 0 };
  const simulator: Simulator = new Simulator(decider, {
    endOf: (attempt, now) =>
      findEnd(byKey.get(slotKey(attempt.node, attempt.slot))!, now + model.overhead, model.cost(attempt)),
    split: (attempt, share, program) =>
      model.divisible && program !== undefined
        ? splitEvenly(attempt, share, program, simulator.clock.now, model.overhead)
        : undefined,
    onInstruction: (instruction) => {
      if (instruction.do === "start") result.attempts++;
    },
    onCommit: ({ chunk }) => {
      result.units += chunk.end - chunk.start;
      result.makespan = simulator.clock.now;
    },
  });
  const describe = (node: string) => {
    const there = slots.filter((slot) => slot.node === node);
    const joined = there.map(({ slot, guess }): Slot => ({ node, slot, gpu: slot, rate: guess }));
    return { node, slots: joined, limit: joined.length };
  };
  const names = [...new Set(slots.map(({ node }) => node))];
  if (model.cluster.joins === undefined) simulator.open(names.map(describe));
  else openStaggered(simulator, names.map(describe), model.cluster.joins);
  for (const { node, from, to } of outages) {
    simulator.clock.schedule(from, () => {
      simulator.removeFrom(node);
      simulator.send({ type: "nodeDisconnected", node });
    });
    simulator.clock.schedule(from + model.grace, () => simulator.send({ type: "nodeLost", node }));
    if (to === Number.POSITIVE_INFINITY) continue;
    simulator.clock.schedule(to, () => simulator.send({ type: "nodeJoined", ...describe(node), held: [] }));
  }
  simulator.run();
  return result;
}

/** When the dial of a node that never comes ends without an answer. */
const DIAL_TIMEOUT_SECONDS = 20;

/** Opens a run whose nodes join one after the other, each at its time; the dial of those that never come ends without an answer. */
function openStaggered(simulator: Simulator, nodes: DescribedNode[], joins: Map<string, number>): void {
  simulator.send({ type: "dispatchOpened" });
  let last = 0;
  for (const node of nodes) {
    const at = joins.get(node.node) ?? 0;
    const isComing = at < Number.POSITIVE_INFINITY;
    last = Math.max(last, isComing ? at : DIAL_TIMEOUT_SECONDS);
    if (isComing) simulator.clock.schedule(at, () => simulator.send({ type: "nodeJoined", ...node, held: [] }));
    else simulator.clock.schedule(DIAL_TIMEOUT_SECONDS, () => simulator.send({ type: "nodeLost", node: node.node }));
  }
  simulator.clock.schedule(last, () => simulator.send({ type: "allJoined" }));
}

/** Splits the chunk of a worker that has done its units at an even pace: it keeps its share of the remaining ones. */
function splitEvenly(
  { chunk }: Attempt,
  share: number,
  { since, end }: SimulatedProgram,
  now: number,
  overhead: number,
): { end: bigint; endsAt: number } {
  const done = Math.max(0, (now - since - overhead) / (end - since - overhead));
  const given = Math.floor(Number(chunk.end - chunk.start) * (1 - done) * share);
  if (given < 1) return { end: chunk.end, endsAt: end };
  return { end: chunk.end - BigInt(given), endsAt: now + (end - now) * (1 - share) };
}
