import type { Connection } from "../../fleet/connection.js";
import { type Facts, gatherFacts } from "../../fleet/facts.js";
import type { Inventory } from "../../fleet/inventory.js";
import { computeFingerprint } from "./fingerprint.js";
import { acquireNodeLock } from "./nodelock.js";
import { placeFile, placeFolder } from "./placefile.js";
import { type NamedPlaybook, planResources } from "./planresources.js";
import { type ObservedVerdict, reconcile } from "./reconcile.js";
import { createRemoteShell } from "./remoteshell.js";
import type { ChangeContext, PlaybookContext, Verdict } from "./resource.js";
import { runProbe } from "./runprobes.js";

/** What is true of a node: a verdict for every resource, in the order of the playbooks, and a name for that state. */
export interface NodeInspection {
  verdicts: Verdict[];
  /** SHA-256, see fingerprint.ts. */
  fingerprint: string;
}

/** Seconds that a provision waits for another one on the same node, unless it is told otherwise. */
export const LOCK_WAIT_SECONDS = 60;

/**
 * Says how a node differs from what the playbooks want, in one round trip; changes nothing there. `facts`: what is known of it
 * already, else it is asked when a playbook wants to know. Rejects with a MusterError where it does not answer.
 */
export async function verifyNode(
  connection: Connection,
  facts: Facts | undefined,
  playbooks: NamedPlaybook[],
  inventory: Inventory,
): Promise<NodeInspection> {
  const plan = await planResources(createPlaybookContext(connection, inventory, facts), playbooks);
  return toInspection(await reconcile(connection, plan, undefined));
}

/**
 * Brings a node into the state that the playbooks want, alone there (see `hold`). Rejects with a MusterError where it does not
 * answer, or (HELD, exit 75) where another provision holds it for longer than `seconds`.
 */
export async function provisionNode(
  connection: Connection,
  facts: Facts | undefined,
  playbooks: NamedPlaybook[],
  inventory: Inventory,
  waiting: () => void,
  seconds = LOCK_WAIT_SECONDS,
): Promise<NodeInspection> {
  const held = await acquireNodeLock(connection, seconds, waiting);
  try {
    const plan = await planResources(createPlaybookContext(connection, inventory, facts), playbooks);
    const judged = await reconcile(connection, plan, createChangeContext(connection));
    const succeeded = playbooks.filter(({ name }) => judged.every((one) => one.playbook !== name || isInSync(one)));
    if (succeeded.length > 0) await held.record(succeeded.map(({ name }) => name));
    return toInspection(judged);
  } finally {
    await held.release();
  }
}

/** Whether all of these playbooks succeeded on the node since it booted. Waits as `provisionNode` does. */
export async function provisionedSinceBoot(
  connection: Connection,
  playbooks: NamedPlaybook[],
  waiting: () => void,
  seconds = LOCK_WAIT_SECONDS,
): Promise<boolean> {
  const held = await acquireNodeLock(connection, seconds, waiting);
  await held.release();
  return playbooks.every(({ name }) => held.succeeded.includes(name));
}

/** Whether nothing is left to do about it. */
export function isInSync({ state }: Verdict): boolean {
  return state === "ok" || state === "changed";
}

/** `known`: facts that are at hand already. */
function createPlaybookContext(
  connection: Connection,
  inventory: Inventory,
  known: Facts | undefined,
): PlaybookContext {
  let looked = known === undefined ? undefined : Promise.resolve(known);
  const facts = () => {
    looked ??= gatherFacts(connection);
    return looked;
  };
  return { node: connection.node, inventory, facts };
}

function createChangeContext(connection: Connection): ChangeContext {
  return {
    $: createRemoteShell(connection),
    node: connection.node,
    files: () => connection.files(),
    ask: async <Have>(probe: Parameters<ChangeContext["ask"]>[0]) => (await runProbe(connection, probe)) as Have,
    place: (file) => placeFile(connection, file),
    folder: (folder) => placeFolder(connection, folder),
  };
}

function toInspection(judged: ObservedVerdict[]): NodeInspection {
  return { verdicts: judged.map(({ have: _, ...verdict }) => verdict), fingerprint: computeFingerprint(judged) };
}
