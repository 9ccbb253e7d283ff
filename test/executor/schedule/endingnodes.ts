import type { Job } from "../../../executor/job/job.js";
import { sequentialIds } from "../../../executor/schedule/attempts/attemptids.js";
import type { Attempt, Instruction, Slot } from "../../../executor/schedule/events.js";
import { Simulator } from "../../../executor/schedule/plan/simulator.js";
import { Scheduler } from "../../../executor/schedule/scheduler.js";

/** A node that joins at `at` and leaves `lifetime` seconds later; undefined = it stays. `rate`: of each slot, in cost a second. */
export interface EndingNode {
  at: number;
  lifetime: number | undefined;
  slots: number;
  rate: number;
  /** Whether the scheduler is told the rate. */
  isRateKnown: boolean;
  /** Whether it vanishes at its deadline, without saying what becomes of its attempts. */
  vanishes: boolean;
}

/** A run on nodes that join and leave. */
export interface EndingRun {
  job: Job;
  nodes: readonly EndingNode[];
  /** Returns the cost of an attempt, as it turns out to be. */
  cost: (attempt: Attempt) => number;
  overhead: number;
  /** How far a running chunk can be split. */
  isSplittable?: boolean;
}

/** What came of a run. Each start that breaks a rule is listed. */
export interface EndingRunOutcome {
  scheduler: Scheduler;
  /** How often each unit was committed. */
  committed: Map<bigint, number>;
  starts: number;
  cutOff: Attempt[];
  givenUp: Extract<Instruction, { do: "give-up" }>[];
  lateStarts: string[];
  hasEnded: boolean;
  seconds: number;
  stuck: number;
}

/** Simulates a run while more nodes are expected; after the last one none is. */
export function simulateEndingNodes({ job, nodes, cost, overhead, isSplittable }: EndingRun): EndingRunOutcome {
  const scheduler = new Scheduler(job, sequentialIds());
  const outcome: EndingRunOutcome = {
    scheduler,
    committed: new Map(),
    starts: 0,
    cutOff: [],
    givenUp: [],
    lateStarts: [],
    hasEnded: false,
    seconds: 0,
    stuck: 0,
  };
  const deadlines = new Map<string, number>();
  const rates = new Map<string, number>();
  const simulator: Simulator = new Simulator(scheduler, {
    endOf: (attempt, now) => now + overhead + cost(attempt) / rates.get(attempt.node)!,
    split: ({ chunk }, share, program) => {
      if (isSplittable !== true || program === undefined) return undefined;
      const left =
        Number(chunk.end - chunk.start) * ((program.end - simulator.clock.now) / (program.end - program.since));
      const given = Math.floor(left * share);
      if (given < 1) return { end: chunk.end, endsAt: program.end };
      const endsAt = simulator.clock.now + (program.end - simulator.clock.now) * (1 - share);
      return { end: chunk.end - BigInt(given), endsAt };
    },
    onInstruction: (one) => {
      if (one.do === "stuck") outcome.stuck++;
      if (one.do === "give-up") outcome.givenUp.push(one);
      if (one.do !== "start") return;
      outcome.starts++;
      const { now } = simulator.clock;
      const deadline = deadlines.get(one.attempt.node) ?? Number.POSITIVE_INFINITY;
      if (now >= deadline) outcome.lateStarts.push(`${one.attempt.chunk.id} at ${now}, deadline ${deadline}`);
    },
    onCommit: ({ chunk: { start, end } }) => {
      outcome.seconds = simulator.clock.now;
      for (let unit = start; unit < end; unit++) outcome.committed.set(unit, (outcome.committed.get(unit) ?? 0) + 1);
    },
  });
  const leave = (node: string, vanishes: boolean) => {
    const running = new Set(simulator.firstOfSlots(node).map(({ id }) => id));
    const removed = simulator.removeFrom(node);
    outcome.cutOff.push(...removed.filter(({ id }) => running.has(id)));
    // The node is disconnected first, so that nothing new starts there.
    simulator.send({ type: "nodeDisconnected", node });
    if (!vanishes) for (const { id } of removed) simulator.send({ type: "requeued", attempt: id });
    simulator.send({ type: "nodeLost", node });
  };
  simulator.send({ type: "moreNodesExpected", expected: true });
  simulator.send({ type: "dispatchOpened" });
  simulator.send({ type: "allJoined" });
  for (const [index, one] of nodes.entries()) {
    const node = `n${index}`;
    rates.set(node, one.rate);
    const rate = one.isRateKnown ? one.rate : undefined;
    const slots = Array.from({ length: one.slots }, (_, slot): Slot => ({ node, slot, gpu: slot, rate }));
    simulator.clock.schedule(one.at, () => {
      const deadline = one.lifetime === undefined ? undefined : one.at + one.lifetime;
      if (deadline !== undefined) {
        deadlines.set(node, deadline);
        simulator.clock.schedule(deadline, () => leave(node, one.vanishes));
      }
      simulator.send({ type: "nodeJoined", node, slots, limit: one.slots, held: [], deadline });
      if (index === nodes.length - 1) simulator.send({ type: "moreNodesExpected", expected: false });
    });
  }
  simulator.run();
  return Object.assign(outcome, { hasEnded: simulator.hasEnded });
}

/** Whether every unit of the job was committed exactly once. */
export function isCommittedOnce({ committed }: EndingRunOutcome, job: Job): boolean {
  return committed.size === Number(job.units) && [...committed.values()].every((count) => count === 1);
}
