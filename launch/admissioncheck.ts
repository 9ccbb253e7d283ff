import type { Job } from "../executor/job/job.js";
import type { VerifyNode } from "../executor/run/verifynode.js";
import type { Inventory } from "../fleet/inventory.js";
import type { NamedPlaybook } from "../playbooks/engine/planresources.js";
import { MusterError } from "../schemas/errors.js";

const PYTHON_ENV_PLAYBOOK = "python-env";

/**
 * Returns the check that admits a node to a job: the node's playbooks are verified, or first applied with `provision` and after a
 * reboot during the run. The check rejects with DRIFT (69). Undefined for a job that needs no playbooks and no Python environment. `onWait` is
 * called while another provision holds a node.
 */
export async function createAdmissionCheck(
  job: Job,
  inventory: Inventory,
  provision: boolean,
  onWait: (node: string) => void,
): Promise<VerifyNode | undefined> {
  const names = listNeededPlaybooks(job);
  if (names.length === 0) return undefined;
  const [{ admitProvisioned, admitVerified }, { loadPlaybooks }] = await Promise.all([
    import("../playbooks/engine/admission.js"),
    import("../playbooks/engine/loadplaybooks.js"),
  ]);
  const loaded = await loadPlaybooks(names, inventory);
  const isWholeNeeded =
    job.needs.playbooks.includes(PYTHON_ENV_PLAYBOOK) ||
    loaded.some(({ needs }) => needs.includes(PYTHON_ENV_PLAYBOOK));
  const playbooks = loaded.map((one) =>
    one.name === PYTHON_ENV_PLAYBOOK && !isWholeNeeded ? onlyPythonEnv(one, job) : one,
  );
  const admitAfterVerify = admitVerified(playbooks, inventory);
  const admitAfterProvision = admitProvisioned(playbooks, inventory, onWait);
  return async (connection, facts, hasRebooted) => {
    const admission = await (provision || hasRebooted ? admitAfterProvision : admitAfterVerify)(connection, facts);
    if (admission.ok) return admission.fingerprint;
    const node = connection.node.name;
    throw new MusterError("DRIFT", `drift: ${admission.reason}`, {
      node,
      next: `See \`muster verify ${names.join(" ")} --diff --limit ${node}\`. Repair it with \`muster provision ${names.join(" ")}\`, or run with --provision.`,
    });
  };
}

/** A job with `python_env` needs the playbook that makes environments. */
function listNeededPlaybooks({ needs, pythonEnv }: Job): string[] {
  const own = pythonEnv === undefined || needs.playbooks.includes(PYTHON_ENV_PLAYBOOK) ? [] : [PYTHON_ENV_PLAYBOOK];
  return [...needs.playbooks, ...own];
}

/** Restricts the playbook to the job's environment. Its other name keeps nodes from recording that all environments were made. */
function onlyPythonEnv(whole: NamedPlaybook, { pythonEnv }: Job): NamedPlaybook {
  const { name, playbook } = whole;
  const isNeeded = (env: string) => env === pythonEnv?.name;
  return {
    ...whole,
    name: `${name} ${pythonEnv?.name}`,
    playbook: ({ inventory, ...context }) => {
      const needed = Object.entries(inventory.pythonEnvs).filter(([env]) => isNeeded(env));
      return playbook({ ...context, inventory: { ...inventory, pythonEnvs: Object.fromEntries(needed) } });
    },
  };
}

/** Returns the line that is printed while another provision holds a node. */
export function formatLockWait(node: string): string {
  return `${node}: another provision is running on this node; waiting for it`;
}
