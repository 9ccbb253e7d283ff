import type { Dialer } from "../../fleet/connect.js";
import type { Node } from "../../fleet/node.js";
import type { Program } from "../../templates/templates.js";
import type { Needs } from "../job/job.js";
import type { Inspection } from "./inspection.js";
import type { Content } from "./node/hashes.js";

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
  contents: Map<string, Content>;
  agent: Program;
  needs: Needs;
  /** Set where the job needs playbooks. */
  inspection: Inspection | undefined;
  dialer: Dialer;
}

/** The folder of the run called `id` on a node, as the node's shell reads it. Two nodes of an inventory may be one machine: each has its own. */
export function rootOf(id: string, node: Node): string {
  return `${node.workdir}/runs/${id}@${node.name}`;
}
