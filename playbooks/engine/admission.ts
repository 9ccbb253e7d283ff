import type { Connection } from "../../fleet/connection.js";
import type { Facts } from "../../fleet/facts.js";
import type { Inventory } from "../../fleet/inventory.js";
import type { NamedPlaybook } from "./planresources.js";
import { isInSync, type NodeInspection, provisionNode, verifyNode } from "./provisionnode.js";

/** Whether a node may get work. `fingerprint` identifies the verified state; `reason` names what is out of sync. */
export type Admission = { ok: true; fingerprint: string } | { ok: false; reason: string; fingerprint: string };

/** Checks a node before it gets work. Rejects with a MusterError if the node does not answer. */
export type AdmitNode = (connection: Connection, facts: Facts) => Promise<Admission>;

/** The most resources that a reason names. */
const MAX_NAMED_RESOURCES = 3;

/** Returns a check that verifies these playbooks and admits nodes that are in sync. */
export function admitVerified(playbooks: NamedPlaybook[], inventory: Inventory): AdmitNode {
  return async (connection, facts) => decideAdmission(await verifyNode(connection, facts, playbooks, inventory));
}

/**
 * Returns a check that provisions these playbooks first, and then admits nodes that are in sync. `onWait` is called with the name of a
 * node that another provision has locked.
 */
export function admitProvisioned(
  playbooks: NamedPlaybook[],
  inventory: Inventory,
  onWait: (node: string) => void,
): AdmitNode {
  return async (connection, facts) =>
    decideAdmission(
      await provisionNode(connection, facts, playbooks, inventory, { onWait: () => onWait(connection.node.name) }),
    );
}

/** Pure: admits the node if all resources are in sync. Otherwise the reason names the first ones that are not, in one line. */
export function decideAdmission({ verdicts, fingerprint }: NodeInspection): Admission {
  const wrong = verdicts.filter((verdict) => !isInSync(verdict));
  if (wrong.length === 0) return { ok: true, fingerprint };
  const reasons = wrong.slice(0, MAX_NAMED_RESOURCES).map(({ resource, state, reason, differences: [first] }) => {
    const why = reason ?? (first === undefined ? "" : `${first.what}: ${first.have}, wanted ${first.want}`);
    return why === "" ? `${resource}: ${state}` : `${resource}: ${state} (${why})`;
  });
  const more = wrong.length > MAX_NAMED_RESOURCES ? `; and ${wrong.length - MAX_NAMED_RESOURCES} more` : "";
  return { ok: false, reason: reasons.join("; ") + more, fingerprint };
}
