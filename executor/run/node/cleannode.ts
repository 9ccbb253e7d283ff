import type { Connection } from "../../../fleet/connection.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { AgentMessage } from "../agent/protocol.js";
import { type RunContext, runFolderOn } from "../runcontext.js";
import { Attachment } from "./attachment.js";
import { isConnectionLost, isSuccess, withoutNodeName } from "./attemptfailure.js";
import { stopAgent } from "./stopagent.js";
import { endStrays } from "./strays.js";

/** What was done about a run on one node. */
export interface NodeCleanResult {
  node: string;
  /** `nothing`: nothing of the run was there. */
  state: "stopped" | "nothing" | "failed";
  /** Processes that were found and ended though the run's folder was gone. */
  strays?: number;
  /** Why it failed. */
  reason?: string;
}

/**
 * Ends what a run has on a node: its processes are killed, its folder is deleted. An agent that is not there any more is
 * started once more for that: it knows how to find what it left. What has no folder any more is found by its marks.
 * `finished`: the chunks that the agent has results of are added. Never rejects for what nodes do.
 */
export async function cleanNode(node: Node, run: RunContext, finished: Set<string>): Promise<NodeCleanResult> {
  try {
    return { node: node.name, ...(await cleanRunFolders(node, run, finished)) };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { node: node.name, state: "failed", reason: withoutNodeName(node, error) };
  }
}

async function cleanRunFolders(
  node: Node,
  run: RunContext,
  finished: Set<string>,
): Promise<Omit<NodeCleanResult, "node">> {
  const connection = await run.dialer.connect(node);
  try {
    let [wasThere, strays] = [false, 0];
    for (const id of [...run.formerIds, run.id]) {
      const root = runFolderOn(id, node);
      const found = await cleanRunFolder(connection, run, root, () =>
        id === run.id ? stopOwnAgent(node, run, finished) : stopAgent(connection, run.agent, root),
      );
      wasThere ||= found.wasThere;
      strays += found.strays;
    }
    if (strays > 0) return { state: "stopped", strays };
    return { state: wasThere ? "stopped" : "nothing" };
  } finally {
    await connection.close();
  }
}

/** Has the agent in the folder `root` stop in order, where there is a folder, then ends what is left; that alone decides. */
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

/** False also where that cannot be told: what looks for strays looks again, on the node itself, and says why. */
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

/** Rejects with SUPERSEDED where the agent belongs to another copy of the run directory, and with NOT_STOPPED. */
async function stopOwnAgent(node: Node, run: RunContext, finished: Set<string>): Promise<void> {
  let left: string | undefined = "the agent was told to stop and has not";
  const hear = (message: AgentMessage) => {
    if (message.ev === "bye") left = message.left;
    if (message.ev === "done" && isSuccess(message)) finished.add(message.chunk);
  };
  const session = await Attachment.attach(
    node,
    run,
    { bootId: undefined, cards: [] },
    () => [],
    () => {},
    hear,
  );
  session.send({ op: "stop" });
  await session.waitForExit(node.graceSeconds);
  if (left !== undefined) throw new MusterError("NOT_STOPPED", 3, left);
}
