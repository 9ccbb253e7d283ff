import { setTimeout as sleep } from "node:timers/promises";
import { Dialer } from "../fleet/connect.js";
import type { Connection } from "../fleet/connection.js";
import { drainsFilePath, readDrains } from "../fleet/drains.js";
import { assembleFleet } from "../fleet/healing/assemblefleet.js";
import { decideHealing, type HealDecision } from "../fleet/healing/decidehealing.js";
import type { HealContext, HealStep, HealTools } from "../fleet/healing/healcontext.js";
import { giveUpNode, releaseNode } from "../fleet/healing/healdrain.js";
import { createHealHeldError, healFilePath, openHealStore, readHealRecords } from "../fleet/healing/healfile.js";
import { healNode } from "../fleet/healing/healnode.js";
import { type HealRecords, recordCondition } from "../fleet/healing/healrecord.js";
import type { HealSettings } from "../fleet/healing/healsettings.js";
import type { NodeLook } from "../fleet/healing/lookatnodes.js";
import type { Inventory } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { decideAdmission } from "../playbooks/engine/admission.js";
import type { NamedPlaybook } from "../playbooks/engine/planresources.js";
import { provisionNode } from "../playbooks/engine/provisionnode.js";
import { checkGpus } from "../playbooks/gpu.js";
import { UsageError } from "../schemas/errors.js";

/** Runs learn of a drain within a second. */
const DRAIN_SEEN_MS = 1500;
/** A run provisions a node that has rebooted as soon as it answers, and may build environments there. */
const LOCK_WAIT_SECONDS = 3600;

/** An inventory whose nodes may be healed. */
export type HealableInventory = Inventory & { file: string; heal: HealSettings };

/** Returns the inventory. Throws UsageError where it has no `heal`, or is no file. */
export function requireHealing(inventory: Inventory): HealableInventory {
  const { file, heal } = inventory;
  if (file !== undefined && heal !== undefined) return { ...inventory, file, heal };
  throw new UsageError(
    "--heal: the inventory has no `heal`",
    "Add `heal: {}` to it to opt in; docs/healing.md says more.",
  );
}

/** Looks at all nodes of an inventory. */
export type LookAtFleet = (nodes: Node[]) => Promise<NodeLook[]>;

/** Says what is to be done about the nodes that are not well, and changes nothing. */
export async function planHealing(
  inventory: HealableInventory,
  nodes: readonly Node[],
  look: LookAtFleet,
): Promise<HealDecision[]> {
  const records = readHealRecords(healFilePath(inventory.file));
  const names = new Set(nodes.map(({ name }) => name));
  const { decisions } = await lookAndDecide(inventory, names, records, { look, dialer: new Dialer() });
  return decisions;
}

/** What `healNodes` reports, and what ends it. */
export interface HealOptions {
  playbooks: NamedPlaybook[];
  look: LookAtFleet;
  report: (step: HealStep) => void;
  /** Called with what is not done about nodes that are not well. */
  onLeft: (decisions: HealDecision[]) => void;
  stop: AbortSignal;
}

/**
 * Heals those of `nodes` that need it, and ends drains of earlier healings. Resolves with whether all healings succeeded and no node was given
 * up. Rejects with HELD (75) where another process heals nodes of this inventory, and with InvalidFile for damaged records.
 */
export async function healNodes(
  inventory: HealableInventory,
  nodes: readonly Node[],
  { playbooks, look, report, onLeft, stop }: HealOptions,
): Promise<boolean> {
  const store = openHealStore(inventory.file);
  if (store === undefined) throw createHealHeldError(inventory.file);
  try {
    const dialer = new Dialer();
    const context: HealContext = {
      ...createHealTools(inventory, async () => playbooks),
      store,
      dialer,
      report,
      stop,
      ownRuns: () => [],
      awaitIdle: async () => await sleep(DRAIN_SEEN_MS, undefined, { signal: stop }),
    };
    const untried = new Set(nodes.map(({ name }) => name));
    for (let isFine = true; ; ) {
      const { decisions, looked } = await lookAndDecide(inventory, untried, store.records, { look, dialer });
      for (const [name, record] of looked) store.set(name, record);
      const find = (name: string) => inventory.nodes.find((node) => node.name === name)!;
      for (const decision of decisions) {
        if (decision.do === "release") await releaseNode(find(decision.node), context);
        if (decision.do === "give up") {
          await giveUpNode(find(decision.node), decision, context);
          isFine = false;
        }
      }
      const orders = decisions.flatMap((one) => (one.do === "heal" ? [one] : []));
      if (orders.length === 0 || stop.aborted) {
        onLeft(decisions.filter((one) => one.do === "wait" || one.do === "leave"));
        return isFine;
      }
      for (const { node } of orders) untried.delete(node);
      const ends = await Promise.all(orders.map((order) => healNode(find(order.node), order, context)));
      if (ends.includes("failed")) isFine = false;
    }
  } finally {
    store.close();
  }
}

/** Returns what healings of nodes of this inventory need. `load` loads the playbooks that a healed node must be in sync with. */
export function createHealTools(inventory: HealableInventory, load: () => Promise<NamedPlaybook[]>): HealTools {
  const { file, folder, heal: settings } = inventory;
  const provision = async (connection: Connection) => {
    const playbooks = await load();
    if (playbooks.length === 0) return undefined;
    const admission = decideAdmission(
      await provisionNode(connection, undefined, playbooks, inventory, {
        onWait: () => {},
        waitSeconds: LOCK_WAIT_SECONDS,
      }),
    );
    return admission.ok ? undefined : admission.reason;
  };
  return { inventory: file, folder, settings, checkGpus, provision };
}

/** Looks at the whole fleet, and decides about the nodes of these names. `looked`: the records of its nodes with this look. */
async function lookAndDecide(
  inventory: HealableInventory,
  selected: ReadonlySet<string>,
  records: HealRecords,
  { look, dialer }: { look: LookAtFleet; dialer: Dialer },
): Promise<{ decisions: HealDecision[]; looked: HealRecords }> {
  const looks = await look(inventory.nodes);
  const nowMs = Date.now();
  const { heal } = inventory;
  const looked = new Map(
    looks.map(({ node: { name }, condition, boot }) => [
      name,
      recordCondition(records.get(name), condition, boot, nowMs, heal.afterSeconds),
    ]),
  );
  const drains = readDrains(drainsFilePath(inventory.file), nowMs);
  const fleet = await assembleFleet(looks, looked, drains, selected, dialer);
  return { decisions: decideHealing(fleet, heal, nowMs), looked };
}
