import type { Connection } from "../../fleet/connection.js";
import { type Facts, gatherFacts } from "../../fleet/facts.js";
import type { Inventory } from "../../fleet/inventory.js";
import type { RebootRule } from "./blockplaybook.js";
import { computeFingerprint } from "./fingerprint.js";
import { acquireNodeLock } from "./nodelock.js";
import { placeFile, placeFolder } from "./placefile.js";
import { type NamedPlaybook, planResources } from "./planresources.js";
import { reconcile } from "./reconcile.js";
import type { AwaitIdle, ObservedVerdict } from "./reconcileresource.js";
import { createRemoteShell } from "./remoteshell.js";
import type { ChangeContext, PlaybookContext, Verdict } from "./resource.js";
import { runProbe } from "./runprobes.js";

/** The state of a node: a verdict for every resource, in the order of the playbooks, and their fingerprint. */
export interface NodeInspection {
  verdicts: Verdict[];
  /** SHA-256, see fingerprint.ts. */
  fingerprint: string;
}

/** Default time that a provision waits for another one on the same node. */
export const LOCK_WAIT_SECONDS = 60;

/**
 * Compares a node with what the playbooks want, in one round trip, and changes nothing. `facts`: the node's facts if they are known; else
 * they are gathered if a playbook needs them. Rejects with a MusterError if the node does not answer.
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
 * How a node is provisioned. `onWait`: called once where another provision holds its lock, which is waited for up to `waitSeconds`. `awaitIdle`:
 * by default, one look.
 */
export interface ProvisionSettings {
  onWait: () => void;
  waitSeconds?: number;
  rule?: RebootRule;
  awaitIdle?: AwaitIdle;
  /** Called at the end, while the lock is still held. */
  onEnd?: () => Promise<void>;
}

/**
 * Brings a node into the state that the playbooks want, while it holds the node's lock. Rejects with a MusterError if the node does not
 * answer, or (HELD, exit 75) if another provision holds the lock for longer than it is waited for.
 */
export async function provisionNode(
  connection: Connection,
  facts: Facts | undefined,
  playbooks: NamedPlaybook[],
  inventory: Inventory,
  { onWait, waitSeconds = LOCK_WAIT_SECONDS, rule, awaitIdle, onEnd }: ProvisionSettings,
): Promise<NodeInspection> {
  const held = await acquireNodeLock(connection, waitSeconds, onWait);
  try {
    const plan = await planResources(createPlaybookContext(connection, inventory, facts), playbooks);
    const judged = await reconcile(connection, plan, createChangeContext(connection), rule, awaitIdle);
    const succeeded = playbooks.filter(({ name }) => judged.every((one) => one.playbook !== name || isInSync(one)));
    if (succeeded.length > 0) await held.record(succeeded.map(({ name }) => name));
    return toInspection(judged);
  } finally {
    try {
      await onEnd?.();
    } finally {
      await held.release();
    }
  }
}

/** Whether all of these playbooks have succeeded on the node since it booted. Waits for the lock and rejects as `provisionNode` does. */
export async function provisionedSinceBoot(
  connection: Connection,
  playbooks: NamedPlaybook[],
  onWait: () => void,
  seconds = LOCK_WAIT_SECONDS,
): Promise<boolean> {
  const held = await acquireNodeLock(connection, seconds, onWait);
  await held.release();
  return playbooks.every(({ name }) => held.succeeded.includes(name));
}

/** Whether a resource is in its wanted state. */
export function isInSync({ state }: Verdict): boolean {
  return state === "ok" || state === "changed";
}

/** `known`: the node's facts if they are known. */
function createPlaybookContext(
  connection: Connection,
  inventory: Inventory,
  known: Facts | undefined,
): PlaybookContext {
  let gathered = known === undefined ? undefined : Promise.resolve(known);
  const facts = () => {
    gathered ??= gatherFacts(connection);
    return gathered;
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
