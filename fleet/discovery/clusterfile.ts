import { MusterError } from "../../schemas/errors.js";
import { isJsonObject } from "../../schemas/isjsonobject.js";
import type { HostRequest } from "./hostrequest.js";

/**
 * Reads the machines of a `distributed_config.json` of the Python coordinators: `nodes` with `hostname`, `username`, `python_env` and
 * `max_concurrent_script_jobs`. Numbers of GPUs are not read: they are counted on the machine. Passwords are left out. Throws
 * MusterError (INVALID_FILE).
 */
export function parseClusterFile(text: string, file: string): HostRequest[] {
  const nodes = parseNodes(text, file);
  return nodes.map((node, index) => {
    if (!isJsonObject(node) || typeof node.hostname !== "string" || node.hostname === "")
      throw invalid(file, `nodes[${index}] has no hostname`);
    const { hostname: host, username, max_concurrent_script_jobs: most, python_env: python } = node;
    return {
      host,
      ...(typeof username === "string" && username !== "" ? { user: username } : {}),
      ...(typeof most === "number" && Number.isInteger(most) && most > 0 ? { maxConcurrent: most } : {}),
      ...(typeof python === "string" && python !== "" ? { python: findInterpreter(python) } : {}),
    };
  });
}

function parseNodes(text: string, file: string): unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(file, (error as Error).message);
  }
  const nodes = isJsonObject(value) ? value.nodes : undefined;
  if (!Array.isArray(nodes)) throw invalid(file, "it has no list `nodes`");
  return nodes;
}

function invalid(file: string, reason: string): MusterError {
  return new MusterError("INVALID_FILE", `${file}: it is not a distributed_config.json: ${reason}`);
}

/** `python_env` is an interpreter, the activation script of an environment, or its folder. */
function findInterpreter(path: string): string {
  if (/\/python[\d.]*$/.test(path) || !path.includes("/")) return path;
  return path.replace(/(?:\/bin(?:\/activate)?)?\/*$/, "/bin/python");
}
