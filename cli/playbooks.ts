import type { StepOutcome } from "../executor/pipeline/executestep.js";
import type { Connection } from "../fleet/connection.js";
import type { Inventory } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { inspectEachNode } from "../playbooks/engine/inspecteachnode.js";
import { loadPlaybooks } from "../playbooks/engine/loadplaybooks.js";
import { provisionNode, verifyNode } from "../playbooks/engine/provisionnode.js";
import { buildDriftDocument, formatDriftTotal, formatNodeReport } from "../report/drifttext.js";
import { formatLockWait } from "./admissioncheck.js";
import { exitStatusOfReports } from "./verify.js";

/** A step of a pipeline that provisions or verifies nodes. `say`: a line for each node as it is done. */
export async function runPlaybookStep(
  kind: "provision" | "verify",
  names: string[],
  nodes: Node[],
  inventory: Inventory,
  say: (line: string) => void,
): Promise<StepOutcome> {
  const playbooks = await loadPlaybooks(names, inventory);
  const waiting = (node: string) => say(formatLockWait(node));
  const work = (connection: Connection) =>
    kind === "verify"
      ? verifyNode(connection, undefined, playbooks, inventory)
      : provisionNode(connection, undefined, playbooks, inventory, () => waiting(connection.node.name));
  const reports = await inspectEachNode(nodes, work, (report) => say(formatNodeReport(report)));
  const exit = exitStatusOfReports(reports, kind === "verify" ? 2 : 3);
  const drift = buildDriftDocument(reports);
  if (exit === 0) return { state: "complete", drift };
  return { state: exit === 2 ? "drift" : "failed", reason: formatDriftTotal(reports), exit, drift };
}
