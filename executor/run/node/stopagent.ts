import { once } from "node:events";
import type { Connection } from "../../../fleet/connection.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { NodeProgram } from "../../../templates/nodeprograms.js";
import { AgentChannel } from "../agent/agentchannel.js";
import { ANY_OUTPUTS } from "../agent/linelimits.js";
import { attachProgram } from "../runcontext.js";

/** Of an allocation: it is cancelled then. */
const ALLOCATION_STOP_SECONDS = 20;

/** Returns how long the agent of a node may take to stop. */
export function stopSeconds({ allocation, graceSeconds }: Node): number {
  return allocation === undefined ? graceSeconds : ALLOCATION_STOP_SECONDS;
}

/**
 * Stops the agent in the run folder `root` of a node, whichever coordinator it belongs to; it kills its chunks and deletes the
 * folder. Where the agent is gone, a new one is started to find what it left. Returns false where there is no such folder. Rejects
 * with NOT_STOPPED where the folder still exists after the node's grace period, and with LOST or TIMEOUT.
 */
export async function stopAgent(connection: Connection, agent: NodeProgram, root: string): Promise<boolean> {
  const { node } = connection;
  const files = await connection.files();
  const home = await files.home();
  const folder = root.replace(/^~/, () => home);
  if ((await files.stat(folder)) === undefined) return false;
  const { args, stdin } = attachProgram(agent, node);
  const channel = await connection.open([node.python, ...args, root]);
  channel.stdin.write(stdin);
  let problem = "the agent was told to stop and has not";
  const gone = new AbortController();
  const stopping = new AgentChannel(
    channel,
    (message) => {
      if (message.ev === "problem") problem = message.message;
    },
    () => gone.abort(),
    ANY_OUTPUTS,
  );
  stopping.send({ op: "stop" });
  const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(stopSeconds(node) * 1000)]);
  if (!signal.aborted) await once(signal, "abort");
  channel.destroy();
  if ((await files.stat(folder)) === undefined) return true;
  throw new MusterError("NOT_STOPPED", `${folder} is still there: ${problem}`);
}
