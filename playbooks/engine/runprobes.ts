import type { CommandResult, Connection } from "../../fleet/connection.js";
import { MusterError } from "../../schemas/errors.js";
import { probeProgram } from "../../templates/nodeprograms.js";
import type { Probe } from "./resource.js";
import { createSudoError } from "./sudo.js";

type SingleProbe = Exclude<Probe, { ask: "all" }>;

/** What came of one question: the node's answer, or why there is none. */
export type ProbeResult = { have: unknown } | { error: MusterError };

/** Seconds for all that is not a program with a timeout of its own. */
const PROBE_TIMEOUT_SECONDS = 120;
/** Bytes of answers; files' contents are capped by their questions. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
const ANSWER_PREFIX = '{"muster_probe": 1,';

/**
 * Asks a node everything in one round trip; nothing is stored or changed there. One answer for each probe, in their order.
 * Rejects with a MusterError (LOST, TIMEOUT, NO_PYTHON, PROBE) when the node does not answer at all.
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
  const said = parseAnswers(outcome.stdout);
  if (said === undefined || said.length !== single.length) throw createProbeError(name, python, outcome);
  const answers = said.map(toProbeResult);
  return probes.map((probe) =>
    probe.ask === "all" ? combineResults(answers.splice(0, probe.of.length)) : answers.shift()!,
  );
}

/** Asks one thing. Rejects with a MusterError where there is no answer. */
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

function toProbeResult(said: unknown): ProbeResult {
  if (typeof said !== "object" || said === null) return { error: new MusterError("PROBE", 69, "no answer") };
  if ("sudo" in said) return { error: createSudoError(String(said.sudo)) };
  if ("failed" in said) return { error: new MusterError("PROBE", 69, `cannot be looked at: ${String(said.failed)}`) };
  return { have: said };
}

function combineResults(parts: ProbeResult[]): ProbeResult {
  const failed = parts.find((part) => "error" in part);
  return failed ?? { have: parts.map((part) => ("have" in part ? part.have : undefined)) };
}

function createProbeError(name: string, python: string, outcome: CommandResult): MusterError {
  const said = outcome.stderr.trim().split("\n").at(-1)?.slice(0, 200) ?? "";
  if (outcome.kind === "lost")
    return new MusterError("LOST", 69, `${name}: the connection was lost: ${outcome.reason}`);
  if (outcome.kind === "timeout")
    return new MusterError("TIMEOUT", 69, `${name}: no answer to its probes within ${outcome.seconds} s`, {
      next: "Its disk may hang; look at it with `uptime` and `dmesg`.",
    });
  const how = outcome.kind === "exit" ? `exit ${outcome.code}` : outcome.signal;
  const missing = outcome.kind === "exit" && (outcome.code === 127 || outcome.code === 126);
  return new MusterError(missing ? "NO_PYTHON" : "PROBE", 69, `${name}: ${python} cannot answer (${how}): ${said}`, {
    next: `Install python3 (3.8 or later) there, or name its path as \`python:\` of ${name} in the inventory.`,
  });
}
