import type { Connection } from "../../../fleet/connection.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";

/** A Python environment on a node by its real path: its link may be switched to another environment while chunks run. */
export interface NodePythonEnv {
  folder: string;
  python: string;
  /** PATH of programs on the node. */
  path: string;
}

const RESOLVE_TIMEOUT_SECONDS = 30;
const RESOLVE_PROGRAM = `import json, os, sys
folder = os.path.realpath(os.path.expanduser(sys.argv[1]))
python = os.path.join(folder, "bin", "python")
path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
print(json.dumps({"folder": folder, "python": python, "path": path} if os.access(python, os.X_OK) else None))`;

/**
 * Finds the environment that the link `at` points to now. Rejects with a MusterError: DRIFT if there is none, LOST or TIMEOUT if the
 * node does not answer.
 */
export async function resolvePythonEnv(connection: Connection, at: string): Promise<NodePythonEnv> {
  const { name: node, python } = connection.node;
  const timeout = { timeout: RESOLVE_TIMEOUT_SECONDS };
  const result = await connection.exec([python, "-I", "-c", RESOLVE_PROGRAM, at], timeout);
  if (result.kind === "lost") throw new MusterError("LOST", `the connection was lost: ${result.reason}`, { node });
  if (result.kind === "timeout")
    throw new MusterError("TIMEOUT", `the environment ${at} was not found within ${result.seconds} s`, { node });
  const found = parseNodePythonEnv(result.stdout);
  if (found !== undefined) return found;
  throw new MusterError("DRIFT", `there is no Python environment at ${at}`, {
    node,
    next: "Make it with `muster provision python-env`.",
  });
}

/** Returns the variables of a chunk: with those of its environment, whose `bin` precedes everything else on PATH. */
export function addPythonEnv(
  env: Readonly<Record<string, string>>,
  node: Node,
  active: NodePythonEnv | undefined,
): Readonly<Record<string, string>> {
  if (active === undefined) return env;
  const path = env.PATH ?? node.env.PATH ?? active.path;
  return { ...env, PATH: `${active.folder}/bin:${path}`, VIRTUAL_ENV: active.folder };
}

function parseNodePythonEnv(output: string): NodePythonEnv | undefined {
  try {
    const found = JSON.parse(output.trim().split("\n").at(-1) ?? "") as Partial<NodePythonEnv> | null;
    const { folder, python, path } = found ?? {};
    if (typeof folder !== "string" || typeof python !== "string" || typeof path !== "string") return undefined;
    return { folder, python, path };
  } catch {
    return undefined;
  }
}
