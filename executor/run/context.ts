import type { Dialer } from "../../fleet/connect.js";
import type { Node } from "../../fleet/node.js";
import type { Program } from "../../templates/templates.js";
import type { Needs } from "../job/job.js";
import type { Inspection } from "./inspection.js";
import type { Content } from "./node/hashes.js";

/** What every node of a run is told alike. */
export interface RunContext {
  id: string;
  name: string;
  session: number;
  /** Of runs that want a GPU, the one with the larger goes first. */
  priority: number;
  contents: Map<string, Content>;
  agent: Program;
  needs: Needs;
  /** Set where the job needs playbooks. */
  inspection: Inspection | undefined;
  dialer: Dialer;
}

/** The run's folder on a node, as the node's shell reads it. Two nodes of an inventory may be one machine: each has its own. */
export function rootOf(run: Pick<RunContext, "id">, node: Node): string {
  return `${node.workdir}/runs/${run.id}@${node.name}`;
}
