import { connect } from "../../fleet/connect.js";
import type { Connection } from "../../fleet/connection.js";
import { type Facts, gatherFacts } from "../../fleet/facts.js";
import { type Inventory, loadInventory } from "../../fleet/inventory.js";
import { loadPlaybooks } from "../../playbooks/engine/loadplaybooks.js";
import type { NamedPlaybook } from "../../playbooks/engine/planresources.js";
import { type NodeInspection, provisionNode, verifyNode } from "../../playbooks/engine/provisionnode.js";
import type { Playbook, Verdict } from "../../playbooks/engine/resource.js";

/** One node of an inventory, looked at over one connection. */
export class TestNode {
  private constructor(
    readonly connection: Connection,
    readonly facts: Facts,
    readonly inventory: Inventory,
    public playbooks: NamedPlaybook[],
  ) {}

  /** The first node of the inventory; what it must be is `playbook`, else what the inventory names. */
  static async open(file: string, playbook?: Playbook): Promise<TestNode> {
    const inventory = loadInventory(file);
    const connection = await connect(inventory.nodes[0]!);
    const playbooks =
      playbook === undefined ? await loadPlaybooks(inventory.playbooks, inventory) : [nameTest(playbook)];
    return new TestNode(connection, await gatherFacts(connection), inventory, playbooks);
  }

  verify(): Promise<NodeInspection> {
    return verifyNode(this.connection, this.facts, this.playbooks, this.inventory);
  }

  provision(): Promise<NodeInspection> {
    return provisionNode(this.connection, this.facts, this.playbooks, this.inventory, { onWait: () => {} });
  }
}

/** A playbook that needs no others, and has no handlers. */
export function nameTest(playbook: Playbook, name = "test"): NamedPlaybook {
  return { name, playbook, needs: [], handlers: {} };
}

/** "resource: state" of what is not ok. */
export function listWrong({ verdicts }: NodeInspection): string[] {
  return verdicts.filter(({ state }) => state !== "ok").map(({ resource, state }) => `${resource}: ${state}`);
}

/** The verdict about one resource. */
export function findVerdict({ verdicts }: NodeInspection, resource: string): Verdict {
  const found = verdicts.find((one) => one.resource === resource);
  if (found === undefined) throw new Error(`no resource ${resource}`);
  return found;
}
