import type { Connection } from "../../../fleet/connection.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import { type RunContext, runFolderOn } from "../runcontext.js";
import { Attachment } from "./attachment.js";
import { isConnectionLost, withoutNodeName } from "./attemptfailure.js";
import { type AttemptKeeper, HeldResults } from "./heldresults.js";
import { stopAgent, stopSeconds } from "./stopagent.js";
import { endStrays } from "./strays.js";

/**
 * The result of removing a run from one node. `nothing`: the node held nothing of the run. `strays`: the number of processes that were
 * ended though the run's folder was missing.
 */
export type NodeCleanResult =
  | { node: string; state: "stopped"; strays?: number }
  | { node: string; state: "nothing" }
  | { node: string; state: "failed"; reason: string };

/**
 * Removes a run from a node: kills its processes and deletes its folder. Where the agent is gone, a new one is started to find what
 * it left; processes whose folder is gone are found by their marks (see strays.ts). `keeper` keeps what the agent holds before that;
 * without it, nothing is kept. Errors of the node do not reject; they are in the result.
 */
export async function cleanNode(node: Node, run: RunContext, keeper?: AttemptKeeper): Promise<NodeCleanResult> {
  try {
    return await cleanRunFolders(node, run, keeper);
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { node: node.name, state: "failed", reason: withoutNodeName(node, error) };
  }
}

async function cleanRunFolders(node: Node, run: RunContext, keeper?: AttemptKeeper): Promise<NodeCleanResult> {
  const connection = await run.dialer.connect(node);
  try {
    let [wasThere, strays] = [false, 0];
    for (const id of [...run.formerIds, run.id]) {
      const root = runFolderOn(id, node);
      const found = await cleanRunFolder(connection, run, root, () =>
        id === run.id ? stopOwnAgent(node, run, keeper) : stopAgent(connection, run.agent, root),
      );
      wasThere ||= found.wasThere;
      strays += found.strays;
    }
    if (strays > 0) return { node: node.name, state: "stopped", strays };
    return { node: node.name, state: wasThere ? "stopped" : "nothing" };
  } finally {
    await connection.close();
  }
}

/** Stops the agent in the folder `root`, where that exists, then ends stray processes. Only the latter decides about success. */
async function cleanRunFolder(
  connection: Connection,
  run: RunContext,
  root: string,
  stop: () => Promise<unknown>,
): Promise<{ wasThere: boolean; strays: number }> {
  const wasThere = await hasFolder(connection, root);
  let failure: MusterError | undefined;
  try {
    if (wasThere) await stop();
  } catch (error) {
    if (!(error instanceof MusterError) || ["LOST", "TIMEOUT", "SUPERSEDED"].includes(error.code)) throw error;
    failure = error;
  }
  try {
    const strays = await endStrays(connection, run.agent, root);
    return { wasThere, strays: wasThere ? 0 : strays };
  } catch (error) {
    throw failure ?? error;
  }
}

/** Whether the folder exists. Returns false where that cannot be determined: the search for strays checks again, on the node. */
async function hasFolder(connection: Connection, root: string): Promise<boolean> {
  const files = await connection.files();
  const home = await files.home();
  try {
    return (await files.stat(root.replace(/^~/, () => home))) !== undefined;
  } catch (error) {
    if (!(error instanceof MusterError) || isConnectionLost(error)) throw error;
    return false;
  }
}

/**
 * Stops this run's agent. Rejects with SUPERSEDED where the agent belongs to another copy of the run directory, and with
 * NOT_STOPPED where it has not ended within the node's grace period.
 */
async function stopOwnAgent(node: Node, run: RunContext, keeper?: AttemptKeeper): Promise<void> {
  let left: string | undefined = "the agent was told to stop and has not";
  const previous = { bootId: undefined, cards: [] };
  const attachment = await Attachment.attach(node, run, { previous, makeSlots: () => ({ slots: [] }) });
  const held = keeper && new HeldResults(attachment, keeper);
  attachment.deliverMessages((message) => {
    if (message.ev === "bye") left = message.left;
    if (message.ev === "done") held?.handle(message);
  });
  if (keeper !== undefined) {
    const report = (message: string) => keeper.onEnding(node.name, message);
    await Promise.all([attachment.endRunning(keeper.keepLogs, report), held?.waitForReports()]);
  }
  await held?.waitUntilKept();
  attachment.send({ op: "stop" });
  await attachment.waitForExit(stopSeconds(node));
  if (left !== undefined) throw new MusterError("NOT_STOPPED", left);
}
