import type { ChaosPlan } from "./chaosplan.js";
import type { PlanResult } from "./chaosrun.js";

interface FaultCounts {
  runs: number;
  failed: number;
  injected: number;
}

/** Counts faults by kind, and the runs that they were in. */
export class FaultTable {
  private readonly kinds = new Map<string, FaultCounts>();
  readonly failedSeeds: number[] = [];
  private runs = 0;
  private items = 0;
  private executions = 0;

  add(plan: ChaosPlan, { injected, problems, items, executions }: PlanResult): void {
    this.runs++;
    this.items += items;
    this.executions += executions;
    const isFailed = problems.length > 0;
    if (isFailed) this.failedSeeds.push(plan.seed);
    for (const kind of new Set<string>([...plan.kinds, ...injected])) {
      const counts = this.kinds.get(kind) ?? { runs: 0, failed: 0, injected: 0 };
      counts.runs++;
      if (isFailed) counts.failed++;
      // A chunk that does wrong is a part of the job: it is there once in any case.
      counts.injected += kind.startsWith("chunk-") ? 1 : injected.filter((one) => one === kind).length;
      this.kinds.set(kind, counts);
    }
  }

  /** The table at the end, a line each. */
  lines(): string[] {
    const row = (...cells: (string | number)[]) =>
      `${`${cells[0]}`.padEnd(26)}${cells
        .slice(1)
        .map((cell) => `${cell}`.padStart(10))
        .join("")}`;
    const rows = [...this.kinds].sort(([a], [b]) => (a < b ? -1 : 1));
    const total = rows.reduce((sum, [, { injected }]) => sum + injected, 0);
    return [
      row("fault", "injected", "runs", "failed"),
      ...rows.map(([kind, { runs, failed, injected }]) => row(kind, injected, runs, failed)),
      row("all", total, this.runs, this.failedSeeds.length),
      `${this.items} items, ${this.executions} executions`,
    ];
  }
}
