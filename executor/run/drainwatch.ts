import { type Drain, describeDrain, drainsFilePath, readDrains } from "../../fleet/drains.js";
import { MusterError } from "../../schemas/errors.js";
import type { Coordinator } from "./coordinator.js";
import type { RunObserver } from "./runobserver.js";

const POLL_MS = 1000;

/** Tells the coordinator of a run which of its nodes are drained, while drains begin and end. */
export class DrainWatch {
  private readonly known = new Map<string, Drain>();
  private timer: NodeJS.Timeout | undefined;
  private isNoticed = false;

  /** `file`: of the drains; undefined = there are none. */
  constructor(
    private readonly file: string | undefined,
    private readonly coordinator: Coordinator,
    private readonly observer: RunObserver,
  ) {}

  /** Looks at once, and every second until `stop`. */
  start(): void {
    if (this.file === undefined) return;
    this.look();
    this.timer = setInterval(() => this.look(), POLL_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const drains = this.read();
    if (drains === undefined) return;
    for (const worker of this.coordinator.workers) {
      const { name } = worker.node;
      const [before, drain] = [this.known.get(name), drains.get(name)];
      if (drain !== undefined && this.coordinator.counters.job.warm !== undefined) worker.send({ op: "retire" });
      if (JSON.stringify(before) === JSON.stringify(drain)) continue;
      if (drain === undefined) this.known.delete(name);
      else this.known.set(name, drain);
      this.observer.nodeWarning(worker, describeChange(drain));
      const reason = drain && describeDrain(drain);
      this.coordinator.event({ type: "nodeDrained", node: name, reason, evict: drain?.now === true });
    }
  }

  /** Returns undefined where the file cannot be read now: what is known stays as it is. */
  private read(): ReadonlyMap<string, Drain> | undefined {
    try {
      return readDrains(this.file, Date.now());
    } catch (error) {
      if (!(error instanceof MusterError) && (error as NodeJS.ErrnoException).syscall === undefined) throw error;
      if (!this.isNoticed) this.observer.notice(`cannot read which nodes are drained: ${(error as Error).message}`);
      this.isNoticed = true;
      return undefined;
    }
  }
}

function describeChange(drain: Drain | undefined): string {
  if (drain === undefined) return "it is no longer drained";
  const running = drain.now ? "what runs there is stopped, and runs elsewhere" : "what runs there continues";
  return `${describeDrain(drain)}: it gets no new chunks; ${running}`;
}

/** Returns the file that has the drains of a run's nodes. `inventory`: its path; "local" = this machine alone, which has no such file. */
export function findDrainsFile(inventory: string): string | undefined {
  return drainsFilePath(inventory === "local" ? undefined : inventory);
}
