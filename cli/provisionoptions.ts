import type { Connection } from "../fleet/connection.js";
import type { Inventory } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import type { RebootRule } from "../playbooks/engine/blockplaybook.js";
import type { InspectionResult } from "../playbooks/engine/inspecteachnode.js";
import type { NamedPlaybook } from "../playbooks/engine/planresources.js";
import {
  LOCK_WAIT_SECONDS,
  type NodeInspection,
  provisionedSinceBoot,
  provisionNode,
  verifyNode,
} from "../playbooks/engine/provisionnode.js";
import { confirmInspection } from "../playbooks/engine/rollout.js";
import type { Writers } from "../report/writers.js";
import type { IdleWaits } from "./idlewaits.js";
import { parseDurationOption } from "./options.js";
import type { DriftReportOptions } from "./playbooks.js";

/** Options of `muster provision`. */
export interface ProvisionOptions extends DriftReportOptions {
  check?: boolean;
  ifRebooted?: boolean;
  lockWait?: string;
  /** How many nodes at once, `2` or `25%`. */
  serial?: string;
  /** Only with `serial` or `reboot`: how many nodes may fail. */
  maxFail?: string;
  reboot?: boolean;
  /** Only with `reboot`. */
  rebootWait?: string;
  idleWait?: string;
  heal?: boolean;
  /** Only with `heal`. */
  plan?: boolean;
  /** Only with `heal`: a file for the textfile collector of node_exporter. */
  metrics?: string;
}

/**
 * Returns what provisions one node as the options say. `rule`: whether playbooks wait for a reboot that an earlier one needs. Throws UsageError for a
 * wrong `--lock-wait`.
 */
export function createProvisioning(
  playbooks: NamedPlaybook[],
  inventory: Inventory,
  options: ProvisionOptions,
  writers: Writers,
  idleWaits: IdleWaits,
  rule: RebootRule = "continue",
): (connection: Connection) => Promise<NodeInspection> {
  const waitSeconds = readLockWait(options);
  return async (connection) => {
    const { node } = connection;
    const onWait = createWaitNotice(node, waitSeconds, options, writers);
    // A node that is to be rebooted stays drained until then.
    const onEnd = rule === "continue" ? () => idleWaits.end(node) : undefined;
    const settings = { onWait, waitSeconds, rule, awaitIdle: idleWaits.forNode(connection), onEnd };
    const provisioned = await provisionNode(connection, undefined, playbooks, inventory, settings);
    if (readSerial(options) === undefined) return provisioned;
    return confirmInspection(provisioned, await verifyNode(connection, undefined, playbooks, inventory));
  };
}

/** Returns work that is done only on nodes that have rebooted since the playbooks last succeeded there, if the options ask for that. */
export function skipUnlessRebooted(
  work: (connection: Connection) => Promise<InspectionResult>,
  playbooks: NamedPlaybook[],
  options: ProvisionOptions,
  writers: Writers,
): (connection: Connection) => Promise<InspectionResult> {
  if (!options.ifRebooted) return work;
  const waitSeconds = readLockWait(options);
  return async (connection) => {
    const onWait = createWaitNotice(connection.node, waitSeconds, options, writers);
    const isDone = await provisionedSinceBoot(connection, playbooks, onWait, waitSeconds);
    return isDone ? { skipped: "not rebooted since the last successful provision" } : work(connection);
  };
}

/** Returns how many nodes are provisioned at once, as the options say; undefined: all. */
export function readSerial({ serial, reboot }: ProvisionOptions): string | undefined {
  return serial ?? (reboot ? "1" : undefined);
}

function readLockWait({ lockWait }: ProvisionOptions): number {
  return lockWait === undefined ? LOCK_WAIT_SECONDS : parseDurationOption("--lock-wait", lockWait);
}

function createWaitNotice({ name }: Node, waitSeconds: number, { quiet }: ProvisionOptions, writers: Writers) {
  return () => {
    if (!quiet)
      writers.err(`${name}: another provision is running on this node; waiting for it for at most ${waitSeconds} s`);
  };
}
