import type { Job } from "../../executor/job/job.js";
import type { Attempt, Event, Instruction, Slot } from "../../executor/schedule/events.js";
import type { Decider } from "../../executor/schedule/plan/simulator.js";

/** Returns the units for a slot that asks; `left`: the unassigned units. */
export type SizePolicy = ((left: number, slot: Slot) => number) & {
  /** Learns from a chunk of `units` that took `seconds`. */
  learn?(slot: Slot, units: number, seconds: number): void;
};

/**
 * One queue that idle slots take from, as GNU parallel and the self-scheduling loops of the literature do. The chunk of a
 * lost node returns to the queue.
 */
export class SelfScheduling implements Decider {
  private next: bigint;
  private readonly end: bigint;
  private readonly returned: [bigint, bigint][] = [];
  private readonly idle: Slot[] = [];
  private readonly running = new Map<string, { attempt: Attempt; slot: Slot }>();
  private readonly live = new Set<string>();
  private count = 0;
  private open = false;

  constructor(
    private readonly job: Job,
    private readonly sizes: SizePolicy,
  ) {
    this.next = job.first;
    this.end = job.first + job.units;
  }

  handle(event: Event): Instruction[] {
    switch (event.type) {
      case "nodeJoined":
        this.leave(event.node);
        this.live.add(event.node);
        this.idle.push(...event.slots);
        break;
      case "nodeDisconnected":
        this.live.delete(event.node);
        break;
      case "nodeLost":
        this.leave(event.node);
        break;
      case "finished": {
        const { slot, attempt } = this.running.get(event.attempt)!;
        this.sizes.learn?.(slot, Number(attempt.chunk.end - attempt.chunk.start), event.seconds);
        this.running.delete(event.attempt);
        this.idle.push(slot);
        break;
      }
      case "dispatchOpened":
        this.open = true;
        break;
      case "allJoined":
      case "moreNodesExpected":
      case "nodeDrained":
      case "slotHeld":
      case "slotBroken":
      case "slotSick":
      case "slotRecovered":
      case "memoryPressure":
      case "started":
      case "split":
      case "stopRequested":
      case "stopped":
      case "committed":
      case "held":
      case "collectFailed":
      case "failed":
      case "refused":
      case "requeued":
      case "preempted":
      case "unitsAdded":
      case "unitCancelled":
      case "queueClosed":
      case "lifetimeDeclared":
      case "tick":
        break;
      default:
        event satisfies never;
    }
    return this.open ? this.give() : [];
  }

  private leave(node: string): void {
    for (const { attempt, slot } of this.running.values())
      if (slot.node === node) {
        this.running.delete(attempt.id);
        this.returned.push([attempt.chunk.start, attempt.chunk.end]);
      }
    for (let i = this.idle.length - 1; i >= 0; i--) if (this.idle[i]!.node === node) this.idle.splice(i, 1);
  }

  private give(): Instruction[] {
    const out: Instruction[] = [];
    for (let i = 0; i < this.idle.length; i++) {
      const slot = this.idle[i]!;
      if (!this.live.has(slot.node)) continue;
      const units = this.take(slot);
      if (units === undefined) break;
      this.idle.splice(i--, 1);
      const id = `1-${(this.count++).toString(36)}`;
      const attempt = { id, number: 1, chunk: this.job.chunk(...units), node: slot.node, slot: slot.slot };
      this.running.set(id, { attempt, slot });
      out.push({ do: "start", attempt });
    }
    if (this.running.size === 0 && this.next >= this.end && this.returned.length === 0) out.push({ do: "end" });
    return out;
  }

  private take(slot: Slot): [bigint, bigint] | undefined {
    const again = this.returned.shift();
    if (again !== undefined) return again;
    if (this.next >= this.end) return undefined;
    const left = this.end - this.next;
    const wanted = BigInt(Math.max(1, Math.ceil(this.sizes(Number(left), slot))));
    const start = this.next;
    this.next += wanted < left ? wanted : left;
    return [start, this.next];
  }
}

/** Sizes of coordinator.py: factor x base; the factor is how much faster a slot claims to be than the slowest. */
export function fixedFactorSizes(base: number, slowest: number): SizePolicy {
  return (_, { rate }) => Math.min(50 * base, Math.max(500, base * ((rate ?? slowest) / slowest)));
}

export function equalSizes(units: number): SizePolicy {
  return () => units;
}

/** Guided self-scheduling (Polychronopoulos and Kuck, 1987): an even share of what is left. */
export function guidedSizes(slots: number, least: number): SizePolicy {
  return (left) => Math.max(least, left / slots);
}

/**
 * Factoring (Hummel, Schonberg and Flynn, 1992): batches of one chunk a slot; each batch takes half of what is left.
 * `weight`: a slot's share of the whole.
 */
export function factoringSizes(
  slots: number,
  least: number,
  weight: (slot: Slot) => number = () => 1 / slots,
): SizePolicy {
  let batch = 0;
  let given = 0;
  return (left, slot) => {
    if (given % slots === 0) batch = left / 2;
    given++;
    return Math.max(least, batch * weight(slot));
  };
}

/**
 * Adaptive weighted factoring (Banicescu, Velusamy and Devaprasad, 2003; Carino and Banicescu, 2008). The weight of a slot comes from its
 * weighted average performance: the mean seconds a unit, the k-th chunk counting k times. AWF-B updates the weights with each batch,
 * AWF-C with each chunk. `guess`: the weights before any measurement.
 */
export function adaptiveSizes(
  every: "batch" | "chunk",
  slots: readonly Slot[],
  least: number,
  overhead: number,
  guess: (slot: Slot) => number,
): SizePolicy {
  const performance = new Map(
    slots.map((slot) => [`${slot.node}/${slot.slot}`, { slot, count: 0, time: 0, units: 0 }]),
  );
  let weights = new Map<string, number>();
  let [batch, given] = [0, 0];
  const rateOf = ({ slot, time, units }: { slot: Slot; time: number; units: number }) =>
    time > 0 ? units / time : guess(slot);
  const updateWeights = () => {
    const total = [...performance.values()].reduce((sum, one) => sum + rateOf(one), 0);
    weights = new Map([...performance].map(([key, one]) => [key, rateOf(one) / total]));
  };
  const policy: SizePolicy = (left, slot) => {
    if (given % slots.length === 0 || every === "chunk") batch = left / 2;
    if (given++ % slots.length === 0) updateWeights();
    const one = performance.get(`${slot.node}/${slot.slot}`)!;
    const weight = every === "chunk" ? rateOf(one) / sumRates() : weights.get(`${slot.node}/${slot.slot}`)!;
    return Math.max(least, batch * weight);
  };
  let sum: number | undefined;
  const sumRates = () => {
    sum ??= [...performance.values()].reduce((total, one) => total + rateOf(one), 0);
    return sum;
  };
  policy.learn = ({ node, slot }, units, seconds) => {
    const one = performance.get(`${node}/${slot}`)!;
    const before = rateOf(one);
    one.count++;
    one.time += one.count * Math.max(1e-6, seconds - overhead);
    one.units += one.count * units;
    if (sum !== undefined) sum += rateOf(one) - before;
  };
  return policy;
}
