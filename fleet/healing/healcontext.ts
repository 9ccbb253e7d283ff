import type { Dialer } from "../connect.js";
import type { Connection } from "../connection.js";
import type { Node } from "../node.js";
import type { HealDecision } from "./decidehealing.js";
import type { HealStore } from "./healfile.js";
import type { HealSettings } from "./healsettings.js";
import type { CheckGpus } from "./lookatnodes.js";

/** The decision to heal a node. */
export type HealOrder = Extract<HealDecision, { do: "heal" }>;

/** A step of a healing, or its end. */
export type HealStepName =
  | "drained"
  | "rebooted"
  | "power-cycled"
  | "answered"
  | "provisioned"
  | "healed"
  | "failed"
  | "called off"
  | "given up"
  | "released";

/** What happened to a node. `at`: ISO 8601. `text`: the rest of a sentence that begins with the node. */
export interface HealStep {
  node: string;
  at: string;
  step: HealStepName;
  text: string;
}

/** What the healings of an inventory have in common. */
export interface HealTools {
  /** The inventory file, and its folder. */
  inventory: string;
  folder: string;
  settings: HealSettings;
  checkGpus: CheckGpus;
  /** Brings a node into its state. Resolves with why that failed. */
  provision: (connection: Connection) => Promise<string | undefined>;
}

/** What a healing needs. */
export interface HealContext extends HealTools {
  store: HealStore;
  dialer: Dialer;
  /** Names of the run folders whose processes may be lost: those of the run that heals. */
  ownRuns: (node: Node) => readonly string[];
  /** Waits until runs have learned of a drain, and the run that heals has nothing more on the node. Resolves with what it still has there. */
  awaitIdle: (node: Node) => Promise<string | undefined>;
  report: (step: HealStep) => void;
  /** Ends a healing at once: it has failed then. */
  stop: AbortSignal;
}

/** Why a healing ended that `stop` has ended. */
export const INTERRUPTED = "it was interrupted";
