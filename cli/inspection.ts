import type { Job } from "../executor/job/job.js";
import type { Inspection } from "../executor/run/inspection.js";
import type { Inventory } from "../fleet/inventory.js";
import { isRight, provisionNode, verifyNode } from "../playbooks/engine/inspect.js";
import { loadPlaybooks } from "../playbooks/engine/load.js";
import type { Verdict } from "../playbooks/engine/resource.js";
import { MusterError } from "../schemas/errors.js";

/**
 * How a node is proven to be what the playbooks say that a job needs: verified, or, with `provision` and after a reboot in the
 * middle of the run, brought into that state first. Undefined for a job that needs none.
 */
export async function inspectionFor(
  job: Job,
  inventory: Inventory,
  provision: boolean,
): Promise<Inspection | undefined> {
  if (job.needs.playbooks.length === 0) return undefined;
  const playbooks = await loadPlaybooks(job.needs.playbooks, inventory);
  return async (connection, facts, mend) => {
    const found =
      provision || mend
        ? await provisionNode(connection, facts, playbooks, inventory, () => {})
        : await verifyNode(connection, facts, playbooks, inventory);
    const wrong = found.verdicts.filter((verdict) => !isRight(verdict));
    if (wrong.length > 0) throw drift(connection.node.name, wrong);
    return found.fingerprint;
  };
}

function drift(node: string, wrong: Verdict[]): MusterError {
  const told = wrong.map(({ playbook, resource, state }) => `${playbook} ${resource} (${state})`).join(", ");
  const names = [...new Set(wrong.map((verdict) => verdict.playbook))].join(" ");
  return new MusterError("DRIFT", 69, `${node}: it has drifted: ${told}`, {
    next: `See how with \`muster verify ${names} --diff --limit ${node}\`, mend it with \`muster provision\` or run with --provision.`,
  });
}
