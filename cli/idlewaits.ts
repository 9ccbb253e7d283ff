import type { Connection } from "../fleet/connection.js";
import type { Inventory } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { createAwaitIdle, endIdleDrain } from "../launch/idlenode.js";
import type { AwaitIdle } from "../playbooks/engine/reconcileresource.js";
import { formatHealStep } from "../report/healtext.js";
import type { Writers } from "../report/writers.js";
import { handleInterrupt } from "./interrupt.js";
import { parseDurationOption } from "./options.js";

const DEFAULT_WAIT_SECONDS = 600;

/** How one provision waits for nodes to be idle. */
export interface IdleWaits {
  /** undefined: a node cannot be drained without an inventory file, so it must be idle. */
  forNode(connection: Connection): AwaitIdle | undefined;
  /** Gives a node work again. */
  end(node: Node): Promise<void>;
  /** Whether a wait was interrupted: nothing else is begun then. */
  readonly isStopped: boolean;
  /** Returns the exit status if a wait was interrupted, and stops listening for that. */
  close(): number | undefined;
}

/** Signals are listened to from the first wait on: a drain must not outlive the provision. Throws UsageError for a wrong `--idle-wait`. */
export function createIdleWaits(
  { file }: Inventory,
  { idleWait, quiet }: { idleWait?: string; quiet?: boolean },
  writers: Writers,
): IdleWaits {
  const waitSeconds = idleWait === undefined ? DEFAULT_WAIT_SECONDS : parseDurationOption("--idle-wait", idleWait);
  let interrupt: ReturnType<typeof handleInterrupt> | undefined;
  const report = (node: Node, text: string) => {
    if (!quiet) writers.err(formatHealStep({ node: node.name, text }));
  };
  const listen = () => {
    const started = handleInterrupt();
    const say = () => writers.err("stopping: no other node is begun, and nothing waits any more (repeat to exit now)");
    started.signal.addEventListener("abort", say, { once: true });
    return started;
  };
  return {
    forNode: (connection) => {
      if (file === undefined) return undefined;
      return (resource) => {
        interrupt ??= listen();
        return createAwaitIdle(connection, { inventory: file, waitSeconds, report, stop: interrupt.signal })(resource);
      };
    },
    end: async (node) => {
      if (file !== undefined) await endIdleDrain(node, { inventory: file });
    },
    get isStopped() {
      return interrupt?.signal.aborted === true;
    },
    close: () => {
      interrupt?.release();
      return interrupt?.exitStatus();
    },
  };
}
