import { connect } from "../../fleet/connect.js";
import type { Node } from "../../fleet/node.js";
import { MusterError } from "../../schemas/errors.js";
import type { RunContext } from "./context.js";
import type { FromAgent } from "./protocol.js";
import { runRoot, Session } from "./session.js";

/** What was done about a run on one node. */
export interface Stopped {
  node: string;
  /** `nothing`: nothing of the run was there. */
  state: "stopped" | "nothing" | "failed";
  /** Why it failed. */
  reason?: string;
}

/**
 * Ends what a run has on a node: its processes are killed, its folder is deleted. An agent that is not there any more is
 * started once more for that: it knows how to find what it left. Never rejects for what nodes do.
 */
export async function stopOn(node: Node, run: RunContext): Promise<Stopped> {
  try {
    return { node: node.name, state: (await stop(node, run)) ? "stopped" : "nothing" };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    const prefix = `${node.name}: `;
    const reason = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
    return { node: node.name, state: "failed", reason };
  }
}

/** Whether there was anything to stop. */
async function stop(node: Node, run: RunContext): Promise<boolean> {
  const connection = await connect(node);
  try {
    const files = await connection.files();
    const root = await runRoot(node, run, files);
    if ((await files.stat(root)) === undefined) return false;
    let trouble = "the agent was told to stop and has not";
    const hear = (message: FromAgent) => {
      if (message.ev === "problem") trouble = message.message;
    };
    const session = await Session.attach(node, run, undefined, () => [], hear);
    session.send({ op: "stop" });
    await session.bye(node.grace);
    if ((await files.stat(root)) === undefined) return true;
    throw new MusterError("NOT_STOPPED", 3, `${root} is still there: ${trouble}`);
  } finally {
    await connection.close();
  }
}
