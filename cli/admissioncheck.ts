import type { Job } from "../executor/job/job.js";
import type { VerifyNode } from "../executor/run/verifynode.js";
import type { Inventory } from "../fleet/inventory.js";
import { MusterError } from "../schemas/errors.js";

/**
 * How a node is proven to be what the playbooks say that a job needs: verified, or, with `provision` and after a reboot in the
 * middle of the run, brought into that state first. Undefined for a job that needs none. `waiting`: another provision is at
 * work on a node.
 */
export async function createAdmissionCheck(
  job: Job,
  inventory: Inventory,
  provision: boolean,
  waiting: (node: string) => void,
): Promise<VerifyNode | undefined> {
  const names = job.needs.playbooks;
  if (names.length === 0) return undefined;
  const [{ admitProvisioned, admitVerified }, { loadPlaybooks }] = await Promise.all([
    import("../playbooks/engine/admission.js"),
    import("../playbooks/engine/loadplaybooks.js"),
  ]);
  const playbooks = await loadPlaybooks(names, inventory);
  const verified = admitVerified(playbooks, inventory);
  const mended = admitProvisioned(playbooks, inventory, waiting);
  return async (connection, facts, mend) => {
    const admission = await (provision || mend ? mended : verified)(connection, facts);
    if (admission.ok) return admission.fingerprint;
    const node = connection.node.name;
    throw new MusterError("DRIFT", 69, `${node}: it has drifted: ${admission.reason}`, {
      next: `See how with \`muster verify ${names.join(" ")} --diff --limit ${node}\`; mend it with \`muster provision\`, or run with --provision.`,
    });
  };
}

/** What is said while another provision holds a node. */
export function formatLockWait(node: string): string {
  return `${node}: another provision is at work there; waiting for it`;
}
