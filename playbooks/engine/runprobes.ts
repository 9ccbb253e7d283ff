import type { CommandResult, Connection } from "../../fleet/connection.js";
import { MusterError } from "../../schemas/errors.js";
import { probeProgram } from "../../templates/nodeprograms.js";
import type { Probe } from "./resource.js";
import { createSudoError } from "./sudo.js";

type SingleProbe = Exclude<Probe, { ask: "all" }>;

/** The result of one probe: the node's answer, or the error. */
export type ProbeResult = { have: unknown } | { error: MusterError };

/** For all probes together, in addition to the longest timeout of a command. */
const PROBE_TIMEOUT_SECONDS = 120;
/** For the answers of all probes together; each probe caps the contents of its files. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
const ANSWER_PREFIX = '{"muster_probe": 1,';

/**
 * Runs all probes on a node in one round trip; nothing is stored or changed there. Returns one result per probe, in their order. Rejects
 * with a MusterError (LOST, TIMEOUT, NO_PYTHON, PROBE) if the node gives no valid answer.
 */
export async function runProbes(connection: Connection, probes: Probe[]): Promise<ProbeResult[]> {
  if (probes.length === 0) return [];
  const single = probes.flatMap((probe): SingleProbe[] =>
    probe.ask === "all" ? (probe.of as SingleProbe[]) : [probe],
  );
  const slowest = Math.max(0, ...single.map((probe) => (probe.ask === "command" ? probe.timeout : 0)));
  const { name, python } = connection.node;
  const options = { stdin: probeProgram(single), timeout: PROBE_TIMEOUT_SECONDS + slowest, cap: MAX_ANSWER_BYTES };
  const outcome = await connection.exec([python, "-"], options);
  const answers = parseAnswers(outcome.stdout);
  if (answers === undefined || answers.length !== single.length) throw createProbeError(name, python, outcome);
  const results = answers.map(toProbeResult);
  return probes.map((probe) =>
    probe.ask === "all" ? combineResults(results.splice(0, probe.of.length)) : results.shift()!,
  );
}

/** Runs one probe. Rejects with a MusterError if it fails. */
export async function runProbe(connection: Connection, probe: Probe): Promise<unknown> {
  const [answer] = await runProbes(connection, [probe]);
  if ("error" in answer!) throw answer.error;
  return answer!.have;
}

function parseAnswers(output: string): unknown[] | undefined {
  const line = output.split("\n").findLast((one) => one.startsWith(ANSWER_PREFIX));
  try {
    const { answers } = JSON.parse(line ?? "{}") as { answers?: unknown };
    return Array.isArray(answers) ? answers : undefined;
  } catch {
    return undefined;
  }
}

function toProbeResult(answer: unknown): ProbeResult {
  if (typeof answer !== "object" || answer === null) return { error: new MusterError("PROBE", "no answer") };
  if ("sudo" in answer) return { error: createSudoError(String(answer.sudo)) };
  if ("failed" in answer) return { error: new MusterError("PROBE", `cannot be probed: ${String(answer.failed)}`) };
  return { have: answer };
}

function combineResults(parts: ProbeResult[]): ProbeResult {
  const failed = parts.find((part) => "error" in part);
  return failed ?? { have: parts.map((part) => ("have" in part ? part.have : undefined)) };
}

function createProbeError(node: string, python: string, outcome: CommandResult): MusterError {
  const message = outcome.stderr.trim().split("\n").at(-1)?.slice(0, 200) ?? "";
  if (outcome.kind === "lost") return new MusterError("LOST", `the connection was lost: ${outcome.reason}`, { node });
  if (outcome.kind === "timeout")
    return new MusterError("TIMEOUT", `the probes did not finish within ${outcome.seconds} s`, {
      node,
      next: "Check its load with `uptime`, and with `dmesg` whether the kernel logged that something hangs.",
    });
  const how = outcome.kind === "exit" ? `exit ${outcome.code}` : outcome.signal;
  const missing = outcome.kind === "exit" && (outcome.code === 127 || outcome.code === 126);
  return new MusterError(missing ? "NO_PYTHON" : "PROBE", `${python} cannot run the probes (${how}): ${message}`, {
    node,
    next: `Install python3 (3.8 or later) there, or set its path as \`python:\` of ${node} in the inventory.`,
  });
}
