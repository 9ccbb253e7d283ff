import type { Channel, Connection } from "../../../fleet/connection.js";
import { connectLocal } from "../../../fleet/local/localconnection.js";
import { connectRelay, type RelayConnection, type RelayOptions } from "../../../fleet/relay/relayconnection.js";
import { relayProgram } from "../../../templates/nodeprograms.js";
import { createNode } from "../nodes.js";

export interface StartedRelay {
  connection: RelayConnection;
  /** What the relay runs in. */
  channel: Channel;
  /** To this machine, without the relay. */
  local: Connection;
}

/** Starts a relay on this machine. `interpreter`: the words before its arguments. */
export async function startRelay(options: RelayOptions = {}, interpreter = ["python3"]): Promise<StartedRelay> {
  const node = createNode({ connection: "local" });
  const local = await connectLocal(node);
  const channel = await local.open([...interpreter, ...relayProgram().args]);
  return { connection: await connectRelay(channel, node, options), channel, local };
}

/** The words that start the Python of the system as a user without any rights, where this process has them. */
export function asNobody(): string[] {
  const user = process.getuid?.() === 0 ? ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups"] : [];
  return [...user, "/usr/bin/python3"];
}

/** The words that start a Python in which these statements have been executed, and so may have replaced functions that the relay uses. */
export function afterStatements(statements: string): string[] {
  // The relay's own arguments follow: -IS -c PROGRAM relay.
  return ["python3", "-c", `import sys\n${statements}\nexec(sys.argv[3])`];
}

/** Returns the process id of the relay. */
export async function relayPid(connection: RelayConnection): Promise<number> {
  return Number((await connection.exec(["sh", "-c", "echo $PPID"], { timeout: 20 })).stdout);
}
