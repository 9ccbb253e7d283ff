import { Dialer } from "../../fleet/connect.js";
import type { Node } from "../../fleet/node.js";
import { agentProgram, type NodeProgram } from "../../templates/nodeprograms.js";
import type { JobRequirements } from "../job/job.js";
import type { FileContent } from "./node/filehashes.js";
import type { VerifyNode } from "./verifynode.js";

/** What every node of a run is told alike. */
export interface RunContext {
  id: string;
  /** What the run was called before it was adopted. Agents that go by these names are stopped. */
  formerIds: readonly string[];
  name: string;
  /** Of this coordinator, and of all that the journal knows: agents of no other coordinator are taken over. */
  nonce: string;
  nonces: readonly string[];
  /** Of runs that want a GPU, the one with the larger goes first. */
  priority: number;
  contents: Map<string, FileContent>;
  agent: NodeProgram;
  needs: JobRequirements;
  /** Set where the job needs playbooks. */
  verifyNode: VerifyNode | undefined;
  dialer: Dialer;
}

/**
 * What an agent is told of the run that it belongs to, to be stopped; it gets no work. The last coordinator's nonce is used again:
 * nothing is issued under it, and where an agent cannot be stopped now it still belongs to this run directory. `ids`: the run's,
 * the current one last; `nonces`: those that the journal has.
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
    agent: agentProgram(),
    needs: { playbooks: [] },
    verifyNode: undefined,
    dialer: new Dialer(),
  };
}

/** The folder of the run called `id` on a node, as the node's shell reads it. Two nodes of an inventory may be one machine: each has its own. */
export function runFolderOn(id: string, node: Node): string {
  return `${node.workdir}/runs/${id}@${node.name}`;
}
