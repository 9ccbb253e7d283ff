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

/** Starts a relay on this machine, behind the words of `prefix`. */
export async function startRelay(options: RelayOptions = {}, prefix: string[] = []): Promise<StartedRelay> {
  const node = createNode({ connection: "local" });
  const local = await connectLocal(node);
  const channel = await local.open([...prefix, "python3", ...relayProgram().args]);
  return { connection: await connectRelay(channel, node, options), channel, local };
}
