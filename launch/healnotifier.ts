import { hostname } from "node:os";
import { sendNotifications } from "../executor/pipeline/sendnotifications.js";
import type { HealStep, HealStepName } from "../fleet/healing/healcontext.js";
import { toPrintableText } from "../report/format.js";
import type { HealableInventory } from "./heal.js";

/** Steps that someone is notified of. */
const NOTIFIED: ReadonlySet<HealStepName> = new Set(["rebooted", "power-cycled", "healed", "failed", "given up"]);

/** Sends the notifications `on_heal` of an inventory, while healing goes on. */
export class HealNotifier {
  private readonly deliveries: Promise<string[]>[] = [];

  constructor(private readonly inventory: Pick<HealableInventory, "heal" | "folder">) {}

  /** Notifies of a step where someone has to know it. */
  notify({ node, at, step, text }: HealStep): void {
    const { heal, folder } = this.inventory;
    if (!NOTIFIED.has(step) || heal.onHeal.length === 0) return;
    const document = { occasion: "on_heal", host: hostname(), node, at, step, text };
    this.deliveries.push(sendNotifications(heal.onHeal, document, folder));
  }

  /** Resolves with a line for each notification that was not delivered. */
  async finish(): Promise<string[]> {
    return (await Promise.all(this.deliveries)).flat().map((line) => toPrintableText([line]));
  }
}
