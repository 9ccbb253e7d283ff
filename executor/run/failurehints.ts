import { posix } from "node:path";
import type { ChunkSpec, Job } from "../job/job.js";
import { explainMissing } from "../job/project/missingfiles.js";
import { findMissingNames } from "../job/project/missingnames.js";
import type { JobFiles } from "../job/project/whereabouts.js";
import type { Failure } from "../schedule/events.js";

/** The most hints of a run: chunks mostly fail for the same cause. */
const MAX_HINTS = 20;
/** How many names are looked up, found or not, so that a run of failing chunks is not slowed down. */
const MAX_LOOKUPS = 1000;

/** Finds files of the project on this machine that failed attempts did not find on their nodes. */
export class FailureHints {
  private readonly given = new Set<string>();
  private readonly lookedUp = new Set<string>();

  constructor(private readonly job: Job) {}

  /** Returns which keys of the job to change, one sentence each, without those that it has returned before. */
  findNew({ reason, stderr }: Failure, spec: ChunkSpec): string[] {
    const { job, given, lookedUp } = this;
    const hints: string[] = [];
    if (job.directory !== undefined) return hints; // what programs find lies on the nodes
    for (const missing of findMissingNames(`${reason}\n${stderr}`)) {
      const key = `${missing.kind} ${missing.name}`;
      if (lookedUp.has(key) || lookedUp.size >= MAX_LOOKUPS || given.size >= MAX_HINTS) continue;
      lookedUp.add(key);
      const hint = explainMissing(missing, spec.program, localFiles(job, spec));
      if (hint === undefined || given.has(hint)) continue;
      given.add(hint);
      hints.push(hint);
    }
    return hints;
  }
}

function localFiles({ project, folders, folder }: Job, { inputs }: ChunkSpec): JobFiles {
  const paths = inputs.map(({ path }) => posix.join(folders.job, path));
  return { root: project?.root ?? folder, project, folders, inputs: paths };
}
