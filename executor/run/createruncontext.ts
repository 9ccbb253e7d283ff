import { join } from "node:path";
import type { Dialer } from "../../fleet/connect.js";
import { agentProgram } from "../../templates/nodeprograms.js";
import type { Job } from "../job/job.js";
import { SharedPacks } from "./node/sharedpacks.js";
import { SyntaxCheck } from "./node/syntaxcheck.js";
import { PreemptedChunks } from "./preemptedchunks.js";
import type { FileContent } from "./record/filehashes.js";
import { KeptStates } from "./record/keptstates.js";
import type { RunDirectory } from "./record/rundir.js";
import type { RunContext } from "./runcontext.js";
import type { VerifyNode } from "./verifynode.js";

/** Creates what all nodes of a run have in common. `contents`: of every staged file, by its path on this machine. */
export function createRunContext(
  job: Job,
  directory: RunDirectory,
  contents: Map<string, FileContent>,
  { dialer, verifyNode }: { dialer: Dialer; verifyNode: VerifyNode | undefined },
): RunContext {
  return {
    id: directory.id,
    name: job.name,
    formerIds: directory.formerIds,
    nonce: directory.nonce,
    nonces: directory.nonces,
    priority: job.priority,
    contents,
    snapshot: directory.snapshot,
    directory: job.directory,
    build: job.build,
    logs: join(directory.path, "logs"),
    states: new KeptStates(join(directory.path, "state"), contents),
    preempted: new PreemptedChunks(),
    agent: agentProgram(),
    outputs: {
      named: job.mostOutputs ?? 0,
      found: job.findsOutputs === true,
      state: job.keepsState === true,
      inlineBytes: 0,
    },
    needs: job.needs,
    pythonEnv: job.pythonEnv,
    verifyNode,
    ...(isUnproven(directory) ? { syntaxCheck: new SyntaxCheck(job) } : {}),
    packs: new SharedPacks(),
    dialer,
  };
}

/** Whether no chunk has succeeded, so that its programs may be at fault. Only the files that the run keeps would be checked. */
function isUnproven({ replay, changedFiles }: RunDirectory): boolean {
  return replay.committedChunks === 0 && changedFiles.length === 0;
}
