import type { LabNode } from "../lab/lab.js";
import { itemsIn } from "./chaosjob.js";
import { keyOf } from "./runcopy.js";
import type { PlacedJob, Workload } from "./workload.js";

/** Executions that a node may have begun before something happened to it, or at that moment. */
interface Exposure {
  node: LabNode;
  /** How many the workers of each job had noted. */
  noted: Map<PlacedJob, number>;
  /** Items that were safe before it happened. */
  safe: Set<string>;
  times: number;
}

/** How often each item may be executed, as far as the faults force it. */
export class Allowance {
  private readonly extra = new Map<string, number>();
  private readonly exposures: Exposure[] = [];

  constructor(private readonly workload: Workload) {}

  /** A fault may have each of these items executed so many times more. */
  add(keys: Iterable<string>, times = 1): void {
    for (const key of new Set(keys)) this.extra.set(key, (this.extra.get(key) ?? 0) + times);
  }

  /** The same of all items that are not among `safe`. */
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
   * The same of what a node has begun by now, or is about to: `margin` executions may not have been noted yet. `safe`: what was
   * committed before the fault.
   */
  expose(node: LabNode, safe: Set<string>, margin: number, times = 1): void {
    const noted = new Map(
      this.workload.jobs.map((placed) => [placed, placed.job.executions([node]).length + margin] as const),
    );
    this.exposures.push({ node, noted, safe, times });
  }

  /** How often an item may be executed, by its key. Call it at the end: what was about to begin is known then. */
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
