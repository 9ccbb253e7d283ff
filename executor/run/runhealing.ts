import type { HealStep, HealTools } from "../../fleet/healing/healcontext.js";

/** What a run needs to heal its nodes. Playbooks and notifications are of layers above. */
export interface RunHealing extends HealTools {
  /** Notifies those who want to know of a step. */
  notify: (step: HealStep) => void;
  /** Resolves when all notifications were sent, with a line for each that was not delivered. */
  finish: () => Promise<string[]>;
}
