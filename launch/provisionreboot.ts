import type { Connection } from "../fleet/connection.js";
import type { Node } from "../fleet/node.js";
import { decideReboot, joinPasses, refuseReboot } from "../playbooks/engine/decidereboot.js";
import type { NodeInspection } from "../playbooks/engine/provisionnode.js";
import { endIdleDrain } from "./idlenode.js";
import { endRebootDrain, isUnhelped, keepDrained, type RebootTools, rebootNode } from "./rebootnode.js";

/**
 * Provisions a node, and reboots it where a resource needs that; then all playbooks are applied once more, which resets what a reboot has reset,
 * proves that the resource is in sync, and runs the playbooks that were waiting. A node is rebooted once for each resource. Rejects as
 * `rebootNode` and `pass` do. `pass`: provisions the node.
 */
export async function provisionWithReboots(
  connection: Connection,
  pass: (connection: Connection) => Promise<NodeInspection>,
  tools: RebootTools,
): Promise<NodeInspection> {
  const rebootedFor = new Set<string>();
  const { node } = connection;
  let current = connection;
  try {
    for (let inspection = await pass(connection); ; ) {
      const decision = decideReboot(inspection.verdicts, rebootedFor);
      switch (decision.do) {
        case "nothing":
          await endRebootDrain(node, tools);
          return inspection;
        case "refuse":
          return refuseReboot(inspection, decision.why, `See \`muster verify --diff --limit ${node.name}\`.`);
        case "give up":
          await keepDrained(node, decision.resources, tools);
          return refuseReboot(inspection, "it was rebooted for this, and still differs", formatUndrain(node));
        case "reboot": {
          if (isUnhelped(node, tools))
            return refuseReboot(inspection, "an earlier reboot has not helped", formatUndrain(node));
          for (const resource of decision.resources) rebootedFor.add(resource);
          const result = await rebootNode(current, decision.resources, tools);
          if ("refusal" in result) return refuseReboot(inspection, `it is not rebooted: ${result.refusal}`, NEXT);
          current = result.connection;
          inspection = joinPasses(inspection, await pass(current));
          break;
        }
        default:
          return decision satisfies never;
      }
    }
  } finally {
    await endIdleDrain(node, tools);
    if (current !== connection) await current.close();
  }
}

const NEXT = "Run this again when that is over: what was staged for the reboot stays.";

function formatUndrain({ name }: Node): string {
  return `See \`muster verify --diff --limit ${name}\`. It stays drained until \`muster undrain ${name}\`.`;
}
