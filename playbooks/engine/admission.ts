import type { Connection } from "../../fleet/connection.js";
import type { Facts } from "../../fleet/facts.js";
import type { Inventory } from "../../fleet/inventory.js";
import type { NamedPlaybook } from "./planresources.js";
import { isInSync, type NodeInspection, provisionNode, verifyNode } from "./provisionnode.js";

/** Whether a node may be given work: `fingerprint` names the state that was verified, `reason` says what is not right there. */
export type Admission = { ok: true; fingerprint: string } | { ok: false; reason: string; fingerprint: string };

/** Looks at a node before it is given work. Rejects with a MusterError where the node does not answer. */
export type AdmitNode = (connection: Connection, facts: Facts) => Promise<Admission>;

/** Resources that a reason names. */
const MAX_NAMED_RESOURCES = 3;

/** Admits nodes that are as these playbooks want them. */
export function admitVerified(playbooks: NamedPlaybook[], inventory: Inventory): AdmitNode {
  return async (connection, facts) => decideAdmission(await verifyNode(connection, facts, playbooks, inventory));
}

/** Brings nodes into the state that these playbooks want, and admits those that are in it then. `waiting`: see provisionNode. */
export function admitProvisioned(
  playbooks: NamedPlaybook[],
  inventory: Inventory,
  waiting: (node: string) => void,
): AdmitNode {
  return async (connection, facts) => {
    const held = () => waiting(connection.node.name);
    return decideAdmission(await provisionNode(connection, facts, playbooks, inventory, held));
  };
}

/** Pure: the decision, with the first reasons in one line. */
export function decideAdmission({ verdicts, fingerprint }: NodeInspection): Admission {
  const wrong = verdicts.filter((verdict) => !isInSync(verdict));
  if (wrong.length === 0) return { ok: true, fingerprint };
  const told = wrong.slice(0, MAX_NAMED_RESOURCES).map(({ resource, state, reason, differences: [first] }) => {
    const why = reason ?? (first === undefined ? "" : `${first.what}: ${first.have}, wanted ${first.want}`);
    return why === "" ? `${resource}: ${state}` : `${resource}: ${state} (${why})`;
  });
  const more = wrong.length > MAX_NAMED_RESOURCES ? `; and ${wrong.length - MAX_NAMED_RESOURCES} more` : "";
  return { ok: false, reason: told.join("; ") + more, fingerprint };
}
