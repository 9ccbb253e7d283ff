/** What programs and playbooks import from "muster": docs/library.md and docs/playbooks.md describe it. */
export type { AnyRunStatus } from "../executor/pipeline/anyrunstatus.js";
export type { RunSummary } from "../executor/run/record/runsummary.js";
export type { RunResult } from "../launch/runresult.js";
export type { RunVerdict } from "../launch/runverdict.js";
export * from "../playbooks/engine/api.js";
export { InvalidFileError, MusterError, type Problem, UsageError } from "../schemas/errors.js";
export type { JobFile, Task } from "../schemas/types.js";
export { type AddOutcome, type AddSettings, add } from "./add.js";
export {
  checkPlaybook,
  type PlaybookCheck,
  type PlaybookCheckSettings,
  type PlaybookPass,
  type Tampering,
} from "./checkplaybook.js";
export type { RunProgressEvent } from "./progressevent.js";
export { run } from "./run.js";
export type { FinishedRun, Run } from "./runhandle.js";
export type { RunSettings } from "./runsettings.js";
export { listRuns, status } from "./status.js";
