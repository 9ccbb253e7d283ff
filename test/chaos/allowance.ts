import type { LabNode } from "../lab/lab.js";
import { itemsIn } from "./chaosjob.js";
import { keyOf } from "./runcopy.js";
import type { PlacedJob, Workload } from "./workload.js";

/** The executions that a node may have begun before or during a fault. */
interface Exposure {
  node: LabNode;
  /** The number of executions that the workers of each job had logged. */
  noted: Map<PlacedJob, number>;
  /** The items that were committed before the fault. */
  safe: Set<string>;
  times: number;
}

/** Computes how often each item may be executed, given the injected faults. */
export class Allowance {
  private readonly extra = new Map<string, number>();
  private readonly exposures: Exposure[] = [];

  constructor(private readonly workload: Workload) {}

  /** Allows each of these items `times` more executions. */
  add(keys: Iterable<string>, times = 1): void {
    for (const key of new Set(keys)) this.extra.set(key, (this.extra.get(key) ?? 0) + times);
  }

  /** Allows all items but those in `safe` `times` more executions. */
  addAllBut(safe: Set<string>, times = 1): void {
    for (const placed of this.workload.jobs)
      this.add(
        itemsIn({ first: 0, end: placed.job.plan.items })
          .map((item) => keyOf(placed, item))
          .filter((key) => !safe.has(key)),
        times,
      );
  }

  /**
   * Allows the items that a node has begun by now `times` more executions. Up to `margin` executions may not be logged yet. `safe`: the
   * items that were committed before the fault.
   */
  expose(node: LabNode, safe: Set<string>, margin: number, times = 1): void {
    const noted = new Map(
      this.workload.jobs.map((placed) => [placed, placed.job.executions([node]).length + margin] as const),
    );
    this.exposures.push({ node, noted, safe, times });
  }

  /** Returns how often an item may be executed, by its key. Call it at the end, when all executions are logged. */
  limits(): (key: string) => number {
    for (const { node, noted, safe, times } of this.exposures.splice(0))
      for (const [placed, count] of noted) {
        const begun = placed.job.executions([node]).slice(0, count).flatMap(itemsIn);
        this.add(
          begun.map((item) => keyOf(placed, item)).filter((key) => !safe.has(key)),
          times,
        );
      }
    return (key) => 1 + (this.extra.get(key) ?? 0);
  }
}
