import type { Cluster } from "../../fleet/slurm/cluster.js";
import type { NodeMatcher } from "../schedule/slots/nodeslots.js";
import type { RunEnd } from "./runend.js";
import type { RunHealing } from "./runhealing.js";
import type { RunObserver } from "./runobserver.js";
import type { VerifyNode } from "./verifynode.js";

/** How a job is run. */
export interface RunOptions {
  out: string | undefined;
  fresh: boolean;
  /** Stop the agents of another copy of the run directory, and continue under a new run id. */
  adopt: boolean;
  /** The value of `-i` that finds these nodes again: an absolute path, or "local". */
  inventory: string;
  /** Fires when the run should be stopped. */
  stopSignal: AbortSignal;
  /** How the run ends then. Default: it is interrupted, and the agents keep running. */
  stopEnd?: RunEnd;
  /** The clusters that may give it further nodes; undefined = none. */
  clusters?: readonly Cluster[];
  isSelected: NodeMatcher;
  observer: RunObserver;
  /** The file that keeps learned rates for later runs; undefined = they are not kept. */
  ratesFile: string | undefined;
  /** Verifies every node before its first chunk; undefined where the job needs no playbooks. */
  verifyNode: VerifyNode | undefined;
  /** Heals nodes; undefined where the inventory does not ask for it. */
  healing: RunHealing | undefined;
}
