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
  const result = { attempts: 0, units: 0n };
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
    },
  });
  const join = (node: string) => {
    const there = slots.filter((slot) => slot.node === node);
    const joined = there.map(({ slot, guess }): Slot => ({ node, slot, gpu: slot, rate: guess }));
    return { node, slots: joined, limit: joined.length };
  };
  simulator.open([...new Set(slots.map(({ node }) => node))].map(join));
  for (const { node, from, to } of outages) {
    simulator.clock.schedule(from, () => {
      simulator.removeFrom(node);
      simulator.send({ type: "nodeDisconnected", node });
    });
    simulator.clock.schedule(from + model.grace, () => simulator.send({ type: "nodeLost", node }));
    simulator.clock.schedule(to, () => simulator.send({ type: "nodeJoined", ...join(node), held: [] }));
  }
  simulator.run();
  return { ...result, makespan: simulator.clock.now };
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
