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
}
