import type { Connection } from "../../../fleet/connection.js";
import { MusterError } from "../../../schemas/errors.js";
import { cleanProgram, type NodeProgram } from "../../../templates/nodeprograms.js";

/** How long a node may take to end stray processes: it sends TERM, waits, sends KILL and waits again. */
const END_STRAYS_TIMEOUT_SECONDS = 30;

/** The report that templates/muster_agent/clean.py prints. */
interface StrayReport {
  ended: number;
  alive: number[];
  root: string | null;
}

/**
 * Ends every process of the run folder `root` without the help of an agent. Agents are found by their command line, chunks by their
 * environment. Returns the number of processes that were ended. Rejects with NOT_STOPPED (exit 3) where a process or the folder
 * is left, or cannot be examined, and with LOST or TIMEOUT.
 */
export async function endStrays(connection: Connection, agent: NodeProgram, root: string): Promise<number> {
  const { node } = connection;
  const { args: words, stdin } = cleanProgram(agent);
  const argv = [node.python, ...words, root];
  const outcome = await connection.exec(argv, { stdin, timeout: END_STRAYS_TIMEOUT_SECONDS });
  if (outcome.kind === "lost") throw new MusterError("LOST", outcome.reason, { node: node.name });
  if (outcome.kind === "timeout") {
    const reason = `the processes of the run were not ended within ${outcome.seconds} s`;
    throw new MusterError("TIMEOUT", reason, { node: node.name });
  }
  const report = parseStrayReport(outcome.stdout);
  if (report === undefined) {
    const message = outcome.stderr.trim().split("\n").at(-1) ?? "";
    throw new MusterError("NOT_STOPPED", `the search for processes of the run failed: ${message}`, { node: node.name });
  }
  const left = [
    ...(report.alive.length === 0 ? [] : [`processes that do not die: ${report.alive.join(", ")}`]),
    ...(report.root === null ? [] : [`${root}: ${report.root}`]),
  ];
  if (left.length === 0) return report.ended;
  const ended = report.ended === 0 ? "" : ` (processes of the run that were ended: ${report.ended})`;
  throw new MusterError("NOT_STOPPED", `${left.join("; ")}${ended}`, { node: node.name });
}

/** Finds the report in a node's output, to which a shell's start-up file may add lines; undefined where there is none. */
function parseStrayReport(output: string): StrayReport | undefined {
  const line = output.split("\n").findLast((one) => one.startsWith('{"muster_clean": '));
  if (line === undefined) return undefined;
  try {
    const { ended, alive, root } = JSON.parse(line).muster_clean;
    const isReport =
      Number.isSafeInteger(ended) &&
      Array.isArray(alive) &&
      alive.every(Number.isSafeInteger) &&
      (root === null || typeof root === "string");
    return isReport ? { ended, alive, root } : undefined;
  } catch {
    return undefined;
  }
}
