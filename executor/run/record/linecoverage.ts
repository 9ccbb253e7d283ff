import type { Job } from "../../job/job.js";
import { IntervalSet } from "../../schedule/queue/intervalset.js";

/** The units that the lines of results.ndjson cover, collected line by line. */
export class LineCoverage {
  readonly units = new IntervalSet();
  /** The chunk of the first line that covers units of an earlier line, or no units of the job. */
  firstSurplus: string | undefined;

  constructor(private readonly job: Pick<Job, "unitsOf">) {}

  /** Adds a line of the chunk `chunk`; undefined for a torn line. */
  add(chunk: string | undefined): void {
    const units = chunk === undefined ? undefined : this.job.unitsOf(chunk);
    if (units === undefined || this.units.overlaps(...units)) this.firstSurplus ??= chunk ?? "no chunk";
    else this.units.add(...units);
  }
}
