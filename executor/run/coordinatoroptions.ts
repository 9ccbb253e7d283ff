import type { Node } from "../../fleet/node.js";
import type { Job } from "../job/job.js";
import type { LearnedRates } from "../schedule/rates/rates.js";
import type { RunDirectory } from "./record/rundir.js";
import type { Rechecks } from "./results/rechecks.js";
import type { RunContext } from "./runcontext.js";
import type { RunObserver } from "./runobserver.js";

/** What a coordinator works on and with. */
export interface CoordinatorOptions {
  job: Job;
  /** The nodes that may work on the job. */
  nodes: Node[];
  directory: RunDirectory;
  run: RunContext;
  observer: RunObserver;
  /** Rates of earlier runs of the same job. */
  learnedRates: LearnedRates;
  rechecks: Rechecks;
}
