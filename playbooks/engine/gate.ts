import type { Connection } from "../../fleet/connection.js";
import type { Facts } from "../../fleet/facts.js";
import type { Inventory } from "../../fleet/inventory.js";
import { type Inspection, isRight, provisionNode, verifyNode } from "./inspect.js";
import type { NamedPlaybook } from "./plan.js";

/** Whether a node may be given work: `fingerprint` names the state that was verified, `reason` says what is not right there. */
export type Admission = { ok: true; fingerprint: string } | { ok: false; reason: string; fingerprint: string };

/** Looks at a node before it is given work. Rejects with a MusterError where the node does not answer. */
export type Admit = (connection: Connection, facts: Facts) => Promise<Admission>;

/** Resources that a reason names. */
const NAMED = 3;

/** Admits nodes that are as these playbooks want them. */
export function admitVerified(playbooks: NamedPlaybook[], inventory: Inventory): Admit {
  return async (connection, facts) => admission(await verifyNode(connection, facts, playbooks, inventory));
}

/** Brings nodes into the state that these playbooks want, and admits those that are in it then. `waiting`: see provisionNode. */
export function admitProvisioned(
  playbooks: NamedPlaybook[],
  inventory: Inventory,
  waiting: (node: string) => void,
): Admit {
  return async (connection, facts) => {
    const held = () => waiting(connection.node.name);
    return admission(await provisionNode(connection, facts, playbooks, inventory, held));
  };
}

/** Pure: the decision, with the first reasons in one line. */
export function admission({ verdicts, fingerprint }: Inspection): Admission {
  const wrong = verdicts.filter((verdict) => !isRight(verdict));
  if (wrong.length === 0) return { ok: true, fingerprint };
  const told = wrong.slice(0, NAMED).map(({ resource, state, reason, differences: [first] }) => {
    const why = reason ?? (first === undefined ? "" : `${first.what}: ${first.have}, wanted ${first.want}`);
    return why === "" ? `${resource}: ${state}` : `${resource}: ${state} (${why})`;
  });
  const more = wrong.length > NAMED ? `; and ${wrong.length - NAMED} more` : "";
  return { ok: false, reason: told.join("; ") + more, fingerprint };
}
