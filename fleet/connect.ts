import type { Connection } from "./connection.js";
import { connectLocal } from "./local/connection.js";
import type { Node } from "./node.js";
import { connectSsh } from "./ssh/connect.js";

/** A way to a node. Rejects with a ConnectionError that names the step and what to do next. */
export async function connect(node: Node): Promise<Connection> {
  return node.connection === "local" ? connectLocal(node) : connectSsh(node);
}
