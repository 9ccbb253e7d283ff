import type { Job } from "../executor/job/job.js";
import type { VerifyNode } from "../executor/run/verifynode.js";
import type { Inventory } from "../fleet/inventory.js";
import { MusterError } from "../schemas/errors.js";

/**
 * Returns the check that admits a node to a job: the node's playbooks are verified, or first applied with `provision` and after a
 * reboot during the run. The check rejects with DRIFT (69). Undefined for a job that needs no playbooks. `onWait` is called while
 * another provision holds a node.
 */
export async function createAdmissionCheck(
  job: Job,
  inventory: Inventory,
  provision: boolean,
  onWait: (node: string) => void,
): Promise<VerifyNode | undefined> {
  const names = job.needs.playbooks;
  if (names.length === 0) return undefined;
  const [{ admitProvisioned, admitVerified }, { loadPlaybooks }] = await Promise.all([
    import("../playbooks/engine/admission.js"),
    import("../playbooks/engine/loadplaybooks.js"),
  ]);
  const playbooks = await loadPlaybooks(names, inventory);
  const admitAfterVerify = admitVerified(playbooks, inventory);
  const admitAfterProvision = admitProvisioned(playbooks, inventory, onWait);
  return async (connection, facts, hasRebooted) => {
    const admission = await (provision || hasRebooted ? admitAfterProvision : admitAfterVerify)(connection, facts);
    if (admission.ok) return admission.fingerprint;
    const node = connection.node.name;
    throw new MusterError("DRIFT", `drift: ${admission.reason}`, {
      node,
      next: `See \`muster verify ${names.join(" ")} --diff --limit ${node}\`. Repair it with \`muster provision\`, or run with --provision.`,
    });
  };
}

/** Returns the line that is printed while another provision holds a node. */
export function formatLockWait(node: string): string {
  return `${node}: another provision is running on this node; waiting for it`;
}
