import { join } from "node:path";
import { Dialer } from "../../fleet/connect.js";
import type { Node } from "../../fleet/node.js";
import { agentProgram, joinProgram, type NodeProgram } from "../../templates/nodeprograms.js";
import type { Job, JobRequirements } from "../job/job.js";
import type { BuildSpec } from "../job/project/buildspec.js";
import { ANY_OUTPUTS, type ExpectedOutputs } from "./agent/linelimits.js";
import { SharedPacks } from "./node/sharedpacks.js";
import { SyntaxCheck } from "./node/syntaxcheck.js";
import { PreemptedChunks } from "./preemptedchunks.js";
import type { FileContent } from "./record/filehashes.js";
import { KeptStates } from "./record/keptstates.js";
import type { RunDirectory } from "./record/rundir.js";
import type { ProjectSnapshot } from "./record/snapshot.js";
import type { VerifyNode } from "./verifynode.js";

/** What all nodes of a run have in common. */
export interface RunContext {
  id: string;
  /** Ids that the run had before it was adopted (`--adopt`). Agents of these ids are stopped. */
  formerIds: readonly string[];
  name: string;
  /** This coordinator's nonce, and all nonces of the journal: only agents of these coordinators are taken over. */
  nonce: string;
  nonces: readonly string[];
  /** When several runs wait for a GPU, the one with the highest priority gets it. */
  priority: number;
  /** Content of every staged file, by its path on this machine. */
  contents: Map<string, FileContent>;
  /** What nodes are being sent. */
  packs: SharedPacks;
  /** The project's files; undefined where there is none. */
  snapshot: ProjectSnapshot | undefined;
  /** The folder of the nodes in which programs run; undefined = each attempt has a working copy. */
  directory: string | undefined;
  /** How the project is built; undefined = it is not. */
  build: BuildSpec | undefined;
  /** Where what builds print is kept: the run directory's folder `logs`. */
  logs: string;
  /** What the attempts of chunks hand on; undefined where none is started. */
  states: KeptStates | undefined;
  /** Which chunks other runs have preempted. */
  preempted: PreemptedChunks;
  agent: NodeProgram;
  /** What the results of attempts may hold. */
  outputs: ExpectedOutputs;
  needs: JobRequirements;
  pythonEnv?: Job["pythonEnv"];
  /** Undefined where the programs were checked before. */
  syntaxCheck?: SyntaxCheck;
  /** Undefined where the job needs no playbooks. */
  verifyNode: VerifyNode | undefined;
  dialer: Dialer;
}

/** Creates the context of a run that is about to work. `contents`: of every staged file. */
export function createRunContext(
  job: Job,
  directory: RunDirectory,
  common: Pick<RunContext, "contents" | "dialer" | "verifyNode">,
): RunContext {
  return {
    ...common,
    id: directory.id,
    name: job.name,
    formerIds: directory.formerIds,
    nonce: directory.nonce,
    nonces: directory.nonces,
    priority: job.priority,
    snapshot: directory.snapshot,
    directory: job.directory,
    build: job.build,
    logs: join(directory.path, "logs"),
    states: new KeptStates(join(directory.path, "state"), common.contents),
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
    ...(isUnproven(directory) ? { syntaxCheck: new SyntaxCheck(job) } : {}),
    packs: new SharedPacks(),
  };
}

/** Whether no chunk has succeeded, so that its programs may be at fault. Only the files that the run keeps would be checked. */
function isUnproven({ replay, changedFiles }: RunDirectory): boolean {
  return replay.committedChunks === 0 && changedFiles.length === 0;
}

/**
 * Creates a context for attaching to agents only to stop them. It reuses the last coordinator's nonce: no attempt id is issued
 * under it, and an agent that cannot be stopped now still belongs to this run directory. `ids`: all ids of the run, the current
 * one last; `nonces`: the nonces of its journal.
 */
export function createStopContext(name: string, ids: readonly string[], nonces: readonly string[]): RunContext {
  return {
    id: ids.at(-1)!,
    formerIds: ids.slice(0, -1),
    name,
    nonce: nonces.at(-1) ?? "",
    nonces,
    priority: 0,
    contents: new Map(),
    packs: new SharedPacks(),
    states: undefined,
    preempted: new PreemptedChunks(),
    snapshot: undefined,
    directory: undefined,
    build: undefined,
    logs: "",
    agent: agentProgram(),
    outputs: ANY_OUTPUTS,
    needs: { playbooks: [] },
    verifyNode: undefined,
    dialer: new Dialer(),
  };
}

/** Returns the folder of a run on a node, relative to "~" where the workdir is. Two nodes on one machine have a folder each. */
export function runFolderOn(id: string, node: Node): string {
  return `${node.workdir}/runs/${id}@${node.name.replace("/", "-")}`;
}

/** Returns the program that attaches to the agent of a run on a node. */
export function attachProgram(agent: NodeProgram, { allocation }: Node): NodeProgram {
  return allocation === undefined ? agent : joinProgram(agent);
}
