import type { Outcome } from "../executor/pipeline/perform.js";
import type { Connection } from "../fleet/connection.js";
import type { Inventory } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { onEvery } from "../playbooks/engine/fleet.js";
import { provisionNode, verifyNode } from "../playbooks/engine/inspect.js";
import { loadPlaybooks } from "../playbooks/engine/load.js";
import { driftDocument, nodeLine, totalText } from "../report/drift.js";
import { waitingText } from "./inspection.js";
import { verdictCode } from "./verify.js";

/** A step of a pipeline that provisions or verifies nodes. `say`: a line for each node as it is done. */
export async function playbookStep(
  kind: "provision" | "verify",
  names: string[],
  nodes: Node[],
  inventory: Inventory,
  say: (line: string) => void,
): Promise<Outcome> {
  const playbooks = await loadPlaybooks(names, inventory);
  const waiting = (node: string) => say(waitingText(node));
  const work = (connection: Connection) =>
    kind === "verify"
      ? verifyNode(connection, undefined, playbooks, inventory)
      : provisionNode(connection, undefined, playbooks, inventory, () => waiting(connection.node.name));
  const reports = await onEvery(nodes, work, (report) => say(nodeLine(report)));
  const exit = verdictCode(reports, kind === "verify" ? 2 : 3);
  const drift = driftDocument(reports);
  if (exit === 0) return { state: "complete", drift };
  return { state: exit === 2 ? "drift" : "failed", reason: totalText(reports), exit, drift };
}
