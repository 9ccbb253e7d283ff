import { MusterError } from "../../schemas/errors.js";
import { bystandersSource } from "../../templates/nodeprograms.js";
import type { Connection } from "../connection.js";
import { createSudoError, runAsRoot } from "../runasroot.js";

const BYSTANDERS_TIMEOUT_SECONDS = 20;
/** The most of each kind that are named. */
const MAX_NAMED = 3;

/** Who uses a node: run folders, users, processes that compute on GPUs, and how many provisions change it. */
export interface Bystanders {
  runs: unknown[];
  /** Those of `runs` that have no chunk there now, only their agent. */
  idle: unknown[];
  users: unknown[];
  gpu: unknown[];
  provisions: number;
}

/**
 * Returns who would lose work if the node were rebooted, a sentence each: "run 12ab@rig is on it". Runs
 * in the folders `ownRuns` do not count. Rejects as `listBystanders` does.
 */
export async function findBystanders(connection: Connection, ownRuns: readonly string[]): Promise<string[]> {
  return describeBystanders(await listBystanders(connection, ownRuns));
}

/**
 * Returns who would lose work if the node were rebooted while it is drained: as `findBystanders`, but a run that has only its agent there loses
 * none. Rejects as `listBystanders` does.
 */
export async function findWorkers(connection: Connection): Promise<string[]> {
  const { runs, idle, ...others } = await listBystanders(connection, []);
  return describeBystanders({ ...others, runs: runs.filter((name) => !idle.includes(name)) });
}

/** Returns what computes on the node: runs that have chunks there, other programs on its GPUs. Rejects as `listBystanders` does. */
export async function findComputations(connection: Connection): Promise<string[]> {
  const { runs, idle, gpu } = await listBystanders(connection, []);
  return [...describeRuns(runs.filter((name) => !idle.includes(name))), ...describeGpuPrograms(gpu)];
}

/** Pure: says who uses a node, a sentence each. */
export function describeBystanders({ runs, users, gpu, provisions }: Omit<Bystanders, "idle">): string[] {
  return [
    ...describeRuns(runs),
    ...describeEach(users, (name) => `user ${name} is logged in`),
    ...describeGpuPrograms(gpu),
    ...(provisions > 0 ? ["another muster provisions it"] : []),
  ];
}

/** Returns who uses the GPUs of the node, a sentence each. Rejects as `listBystanders` does. */
export async function findGpuUsers(connection: Connection): Promise<string[]> {
  const { runs, gpu } = await listBystanders(connection, []);
  return [...describeRuns(runs), ...describeGpuPrograms(gpu)];
}

/** Returns who uses the node. Rejects with SUDO where root's view is not allowed, and with LOST, TIMEOUT or PROBE. */
async function listBystanders(connection: Connection, ownRuns: readonly string[]): Promise<Bystanders> {
  const { name: node, python } = connection.node;
  const argv = runAsRoot([python, "-IS", "-", ...ownRuns]);
  const outcome = await connection.exec(argv, { stdin: bystandersSource(), timeout: BYSTANDERS_TIMEOUT_SECONDS });
  if (outcome.kind === "lost") throw new MusterError("LOST", outcome.reason, { node });
  if (outcome.kind === "timeout")
    throw new MusterError("TIMEOUT", `its processes were not listed within ${outcome.seconds} s`, { node });
  const found = parseBystanders(outcome.stdout);
  if (found !== undefined) return found;
  const message = outcome.stderr.trim().split("\n").at(-1)?.slice(0, 200) ?? "";
  if (/^sudo:|sudo: not found/.test(message)) throw createSudoError(message);
  throw new MusterError("PROBE", `its processes cannot be listed: ${message}`, { node });
}

/** Parses the output of templates/bystanders.py, to which a shell's start-up file may add lines; undefined where it has no report. */
export function parseBystanders(output: string): Bystanders | undefined {
  const line = output.split("\n").findLast((one) => one.startsWith('{"muster_bystanders": 1,'));
  if (line === undefined) return undefined;
  try {
    const { runs, idle, users, gpu, provisions } = JSON.parse(line) as Record<string, unknown>;
    if (typeof provisions !== "number" || !Array.isArray(runs) || !Array.isArray(idle)) return undefined;
    return Array.isArray(users) && Array.isArray(gpu) ? { runs, idle, users, gpu, provisions } : undefined;
  } catch {
    return undefined;
  }
}

const describeRuns = (runs: unknown[]) => describeEach(runs, (name) => `run ${name} is on it`);
const describeGpuPrograms = (gpu: unknown[]) => describeEach(gpu, (name) => `${name} computes on a GPU`);

function describeEach(names: unknown[], describe: (name: string) => string): string[] {
  const texts = names.slice(0, MAX_NAMED).map((name) => describe(String(name).slice(0, 100)));
  return names.length > MAX_NAMED ? [...texts, `${names.length - MAX_NAMED} more`] : texts;
}
