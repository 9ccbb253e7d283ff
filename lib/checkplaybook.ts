import { connect } from "../fleet/connect.js";
import type { Connection } from "../fleet/connection.js";
import { findInventory, type Inventory, selectNodes } from "../fleet/inventory.js";
import { loadPlaybooks } from "../playbooks/engine/loadplaybooks.js";
import type { NodeShell } from "../playbooks/engine/nodeshell.js";
import type { NamedPlaybook } from "../playbooks/engine/planresources.js";
import { type NodeInspection, provisionNode, verifyNode } from "../playbooks/engine/provisionnode.js";
import { createRemoteShell } from "../playbooks/engine/remoteshell.js";
import type { Verdict } from "../playbooks/engine/resource.js";
import { UsageError } from "../schemas/errors.js";
import { type ExpectedStates, listPassProblems } from "./passproblems.js";

/** Where `checkPlaybook` tries a playbook, and how. */
export interface PlaybookCheckSettings {
  /** The path of an inventory, or `local` for this machine. The node is really changed. */
  inventory: string;
  /** The name of the node. May be left out where the inventory has only one. */
  node?: string;
  /** Ways to spoil the node, one after the other. Each must be found exactly, and mended. */
  tampering?: readonly Tampering[];
}

/** A way to spoil a node that is in sync. */
export interface Tampering {
  name: string;
  /** Spoils the node; `$` runs commands there. */
  spoil(shell: { $: NodeShell }): unknown;
  /** Names of the resources that must differ then; all others must not. */
  finds: readonly string[];
}

/** One pass over the node. */
export interface PlaybookPass {
  name: string;
  verdicts: readonly Verdict[];
}

/** What `checkPlaybook` has found. */
export interface PlaybookCheck {
  node: string;
  /** What is wrong, a sentence each; none: the playbook passed. */
  problems: readonly string[];
  /** In order: "before", "provision", "verify", "provision again", then "NAME: found", "NAME: mended", "NAME: verify" of each tampering. */
  passes: readonly PlaybookPass[];
}

/**
 * Runs a playbook on a node, which it changes, and checks what a playbook promises: probes change nothing, a provision brings the node in
 * sync, a second one changes nothing, and tampering is found exactly and mended. Stops after the first pass with a problem. Rejects with
 * a MusterError where the playbook cannot be loaded (PLAYBOOK, NO_PLAYBOOK, InvalidFileError) or the node does not answer.
 */
export async function checkPlaybook(name: string, settings: PlaybookCheckSettings): Promise<PlaybookCheck> {
  const inventory = findInventory(settings.inventory, process.env, process.cwd());
  const nodes = selectNodes(inventory, settings.node);
  if (nodes.length !== 1)
    throw new UsageError(`checkPlaybook needs one node, and the inventory has ${nodes.length}`, "Set `node`.");
  const playbooks = await loadPlaybooks([name], inventory);
  const connection = await connect(nodes[0]!);
  try {
    return await new Checker(connection, playbooks, inventory).check(settings.tampering ?? []);
  } finally {
    await connection.close();
  }
}

class Checker {
  private readonly passes: PlaybookPass[] = [];
  private problems: string[] = [];

  constructor(
    private readonly connection: Connection,
    private readonly playbooks: NamedPlaybook[],
    private readonly inventory: Inventory,
  ) {}

  async check(tampering: readonly Tampering[]): Promise<PlaybookCheck> {
    await this.checkOrder(tampering);
    return { node: this.connection.node.name, problems: this.problems, passes: this.passes };
  }

  private async checkOrder(tampering: readonly Tampering[]): Promise<void> {
    if ((await this.look("before", { any: ["ok", "drift", "needs reboot"] })) === undefined) return;
    if ((await this.provision("provision", { any: ["ok", "changed"] })) === undefined) return;
    const clean = await this.look("verify", { any: ["ok"] });
    if (clean === undefined) return;
    if ((await this.provision("provision again", { any: ["ok"] })) === undefined) return;
    for (const { name, spoil, finds } of tampering) {
      await spoil({ $: createRemoteShell(this.connection) });
      if ((await this.look(`${name}: found`, { only: "drift", of: finds })) === undefined) return;
      if ((await this.provision(`${name}: mended`, { only: "changed", of: finds })) === undefined) return;
      const after = await this.look(`${name}: verify`, { any: ["ok"] });
      if (after === undefined) return;
      if (after.fingerprint !== clean.fingerprint)
        this.problems.push(`${name}: it was mended to another state than before`);
    }
  }

  private async look(name: string, expected: ExpectedStates): Promise<NodeInspection | undefined> {
    return this.judge(name, await verifyNode(this.connection, undefined, this.playbooks, this.inventory), expected);
  }

  private async provision(name: string, expected: ExpectedStates): Promise<NodeInspection | undefined> {
    const { connection, playbooks, inventory } = this;
    const inspection = await provisionNode(connection, undefined, playbooks, inventory, { onWait: () => {} });
    return this.judge(name, inspection, expected);
  }

  /** Records a pass. Returns undefined where it is not as expected. */
  private judge(name: string, inspection: NodeInspection, expected: ExpectedStates): NodeInspection | undefined {
    this.passes.push({ name, verdicts: inspection.verdicts });
    const problems = listPassProblems(name, inspection.verdicts, expected);
    this.problems.push(...problems);
    return problems.length === 0 ? inspection : undefined;
  }
}
