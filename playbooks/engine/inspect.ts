import type { Connection } from "../../fleet/connection.js";
import { type Facts, gatherFacts } from "../../fleet/facts.js";
import type { Inventory } from "../../fleet/inventory.js";
import { type Judged, settle } from "./apply.js";
import { fingerprint } from "./fingerprint.js";
import { hold } from "./hold.js";
import { placeFile, placeFolder } from "./place.js";
import { type NamedPlaybook, planFor } from "./plan.js";
import { askOne } from "./probe.js";
import type { Hands, Subject, Verdict } from "./resource.js";
import { shellOn } from "./shell.js";

/** What is true of a node: a verdict for every resource, in the order of the playbooks, and a name for that state. */
export interface Inspection {
  verdicts: Verdict[];
  /** SHA-256, see fingerprint.ts. */
  fingerprint: string;
}

/** Seconds that a provision waits for another one on the same node, unless it is told otherwise. */
export const WAIT = 60;

/**
 * Says how a node differs from what the playbooks want, in one round trip; changes nothing there. `facts`: what is known of it
 * already, else it is asked when a playbook wants to know. Rejects with a MusterError where it does not answer.
 */
export async function verifyNode(
  connection: Connection,
  facts: Facts | undefined,
  playbooks: NamedPlaybook[],
  inventory: Inventory,
): Promise<Inspection> {
  const plan = await planFor(subjectOf(connection, inventory, facts), playbooks);
  return inspectionOf(await settle(connection, plan, undefined));
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
  seconds = WAIT,
): Promise<Inspection> {
  const held = await hold(connection, seconds, waiting);
  try {
    const plan = await planFor(subjectOf(connection, inventory, facts), playbooks);
    const judged = await settle(connection, plan, handsOn(connection));
    const succeeded = playbooks.filter(({ name }) => judged.every((one) => one.playbook !== name || isRight(one)));
    if (succeeded.length > 0) await held.record(succeeded.map(({ name }) => name));
    return inspectionOf(judged);
  } finally {
    await held.release();
  }
}

/** Whether all of these playbooks succeeded on the node since it booted. Waits as `provisionNode` does. */
export async function provisionedSinceBoot(
  connection: Connection,
  playbooks: NamedPlaybook[],
  waiting: () => void,
  seconds = WAIT,
): Promise<boolean> {
  const held = await hold(connection, seconds, waiting);
  await held.release();
  return playbooks.every(({ name }) => held.succeeded.includes(name));
}

/** Whether nothing is left to do about it. */
export function isRight({ state }: Verdict): boolean {
  return state === "ok" || state === "changed";
}

/** `known`: facts that are at hand already. */
function subjectOf(connection: Connection, inventory: Inventory, known: Facts | undefined): Subject {
  let looked = known === undefined ? undefined : Promise.resolve(known);
  const facts = () => {
    looked ??= gatherFacts(connection);
    return looked;
  };
  return { node: connection.node, inventory, facts };
}

function handsOn(connection: Connection): Hands {
  return {
    $: shellOn(connection),
    node: connection.node,
    files: () => connection.files(),
    ask: async <Have>(probe: Parameters<Hands["ask"]>[0]) => (await askOne(connection, probe)) as Have,
    place: (file) => placeFile(connection, file),
    folder: (folder) => placeFolder(connection, folder),
  };
}

function inspectionOf(judged: Judged[]): Inspection {
  return { verdicts: judged.map(({ have: _, ...verdict }) => verdict), fingerprint: fingerprint(judged) };
}
