import { setTimeout as sleep } from "node:timers/promises";
import { MusterError } from "../../schemas/errors.js";
import type { Connection } from "../connection.js";
import { gatherFacts } from "../facts.js";
import type { Node } from "../node.js";
import type { HealContext } from "./healcontext.js";
import type { HealSettings } from "./healsettings.js";

const REDIAL_MS = 2000;

/** What waiting for a node needs. */
export type ReturnContext = Pick<HealContext, "dialer" | "stop"> & { settings: Pick<HealSettings, "waitSeconds"> };

/** Dials a node until it answers with another boot id than `boot`. Rejects with TIMEOUT. */
export async function awaitReturn(
  node: Node,
  boot: string | undefined,
  { dialer, settings: { waitSeconds }, stop }: ReturnContext,
): Promise<Connection> {
  const deadline = AbortSignal.timeout(waitSeconds * 1000);
  const signal = AbortSignal.any([stop, deadline]);
  for (let last = "no answer"; ; ) {
    // Also before the first dial: a machine that begins to reboot accepts connections that then hang.
    await sleep(REDIAL_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw new MusterError("TIMEOUT", `it did not come back within ${waitSeconds} s: ${last}`);
    let connection: Connection | undefined;
    try {
      connection = await dialer.connect(node, { signal });
      const facts = await gatherFacts(connection, "without-gpus");
      if (facts.boot !== boot) return connection;
      last = "it answers, but has not booted again";
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      if (!signal.aborted) last = error.reason;
    }
    await connection?.close();
  }
}
