import { connect } from "../../fleet/connect.js";
import type { Connection } from "../../fleet/connection.js";
import { type Facts, gatherFacts } from "../../fleet/facts.js";
import { type Inventory, loadInventory } from "../../fleet/inventory.js";
import { type Inspection, provisionNode, verifyNode } from "../../playbooks/engine/inspect.js";
import { loadPlaybooks } from "../../playbooks/engine/load.js";
import type { NamedPlaybook } from "../../playbooks/engine/plan.js";
import type { Playbook, Verdict } from "../../playbooks/engine/resource.js";

/** One node of an inventory, looked at over one connection. */
export class Bench {
  private constructor(
    readonly connection: Connection,
    readonly facts: Facts,
    readonly inventory: Inventory,
    public playbooks: NamedPlaybook[],
  ) {}

  /** The first node of the inventory; what it must be is `playbook`, else what the inventory names. */
  static async open(file: string, playbook?: Playbook): Promise<Bench> {
    const inventory = loadInventory(file);
    const connection = await connect(inventory.nodes[0]!);
    const playbooks =
      playbook === undefined ? await loadPlaybooks(inventory.playbooks, inventory) : [{ name: "test", playbook }];
    return new Bench(connection, await gatherFacts(connection), inventory, playbooks);
  }

  verify(): Promise<Inspection> {
    return verifyNode(this.connection, this.facts, this.playbooks, this.inventory);
  }

  provision(): Promise<Inspection> {
    return provisionNode(this.connection, this.facts, this.playbooks, this.inventory, () => {});
  }
}

/** "resource: state" of what is not ok. */
export function wrong({ verdicts }: Inspection): string[] {
  return verdicts.filter(({ state }) => state !== "ok").map(({ resource, state }) => `${resource}: ${state}`);
}

/** The verdict about one resource. */
export function about({ verdicts }: Inspection, resource: string): Verdict {
  const found = verdicts.find((one) => one.resource === resource);
  if (found === undefined) throw new Error(`no resource ${resource}`);
  return found;
}
