import type { Job } from "../../job/job.js";
import { IntervalSet } from "../../schedule/queue/intervalset.js";

/** The units that the lines of results.ndjson stand for, counted line by line. */
export class LineCoverage {
  readonly units = new IntervalSet();
  /** The first line that stands for a unit of another line, or for none of the job. */
  firstSurplus: string | undefined;

  constructor(private readonly job: Pick<Job, "unitsOf">) {}

  /** Counts a line of the chunk called `chunk`; undefined: a line that is torn. */
  add(chunk: string | undefined): void {
    const units = chunk === undefined ? undefined : this.job.unitsOf(chunk);
    if (units === undefined || this.units.overlaps(...units)) this.firstSurplus ??= chunk ?? "no chunk";
    else this.units.add(...units);
  }
}
