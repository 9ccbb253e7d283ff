import type { Test } from "tap";
import type { AllocationEnd, AllocationState, Engine, PilotRequest } from "../../../../fleet/engine.js";
import { MusterError } from "../../../../schemas/errors.js";

/** A batch system in memory. `fail` makes its next answers errors. */
export class FakeEngine implements Engine {
  readonly jobs = new Map<string, AllocationState>();
  readonly cancelled: string[][] = [];
  /** How often it was asked for its queue. */
  looks = 0;
  /** Of ended jobs: why, by id. */
  readonly reasons = new Map<string, string>();
  /** Where jobs run or ran, by id. */
  readonly hosts = new Map<string, string>();
  /** The nodes that the last request left out. */
  excluded: readonly string[] = [];
  submitError: MusterError | undefined;
  /** The job exists although the reply to its submission is lost. */
  losesReply = false;
  listError: MusterError | undefined;
  cancelError: MusterError | undefined;
  private lastId = 100;

  async submit({ jobName, exclude = [] }: PilotRequest): Promise<string> {
    this.excluded = exclude;
    if (this.submitError !== undefined) throw this.submitError;
    const id = `${++this.lastId}`;
    this.jobs.set(id, { jobName, state: "pending", reason: "Priority" });
    if (this.losesReply) throw new MusterError("LOST", "sbatch: the connection to the login node was lost");
    return id;
  }

  async list(): Promise<ReadonlyMap<string, AllocationState>> {
    this.looks++;
    if (this.listError !== undefined) throw this.listError;
    return new Map(this.jobs);
  }

  async cancel(ids: readonly string[]): Promise<void> {
    this.cancelled.push([...ids]);
    if (this.cancelError !== undefined) throw this.cancelError;
    for (const id of ids) this.jobs.delete(id);
  }

  async explain(id: string): Promise<AllocationEnd> {
    return { reason: this.reasons.get(id), host: this.hosts.get(id) };
  }

  open(): never {
    throw new Error("not used");
  }

  /** Changes a job, as Slurm does by itself. */
  set(id: string, change: Partial<AllocationState>): void {
    const { reason: _, ...rest } = this.jobs.get(id)!;
    this.jobs.set(id, { ...rest, ...change });
  }
}

/** Replaces the monotonic and the system clock by one that only `advance` moves. */
export function stopClock(t: Test): { advance(seconds: number): void } {
  const { now: monotonicNow } = performance;
  const { now: systemNow } = Date;
  let shiftMs = 0;
  const [monotonic, system] = [performance.now(), Date.now()];
  performance.now = () => monotonic + shiftMs;
  Date.now = () => system + shiftMs;
  t.teardown(() => {
    performance.now = monotonicNow;
    Date.now = systemNow;
  });
  return {
    advance(seconds) {
      shiftMs += seconds * 1000;
    },
  };
}
