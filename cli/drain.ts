import { changeDrains, type Drain, type Drains, drainsFilePath, readDrains } from "../fleet/drains.js";
import { findInventory, type Inventory, selectNodes } from "../fleet/inventory.js";
import { describePlace } from "../fleet/slurm/slurmerror.js";
import { formatDrainedNodes } from "../report/draintext.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { suggest } from "../schemas/suggest.js";
import { parseUntil } from "./drainuntil.js";
import type { CommonOptions } from "./options.js";

interface DrainOptions extends CommonOptions {
  reason?: string;
  until?: string;
  now?: boolean;
}

const MAX_REASON_CHARS = 200;

/**
 * `muster drain [NODE...]`: keeps nodes from getting new chunks; running ones finish, or end with `--now`. Without nodes, it lists those
 * that are drained. Returns 0.
 */
export async function drain(patterns: string[], options: DrainOptions, writers: Writers): Promise<number> {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const file = requireDrainsFile(inventory);
  const nowMs = Date.now();
  if (patterns.length === 0) {
    rejectDrainOptions(options);
    return showDrains(inventory, readDrains(file, nowMs), options, writers);
  }
  rejectClusters(patterns, inventory);
  const names = selectNodes(inventory, patterns.join(",")).map(({ name }) => name);
  const asked = readDrain(options, nowMs);
  const drains = await changeDrains(inventory.file!, nowMs, (before) => {
    const added = names.map((name) => [name, { ...asked, since: before.get(name)?.since ?? asked.since }] as const);
    return new Map([...before, ...added]);
  });
  return showDrains({ nodes: inventory.nodes.filter(({ name }) => names.includes(name)) }, drains, options, writers);
}

/** `muster undrain NODE...`: ends drains. Returns 0, also where a node was not drained. */
export async function undrain(patterns: string[], options: CommonOptions, writers: Writers): Promise<number> {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const file = requireDrainsFile(inventory);
  const nowMs = Date.now();
  const drained = readDrains(file, nowMs);
  const names = patterns.flatMap((pattern) => findDrainedNames(pattern, inventory, drained));
  await changeDrains(
    inventory.file!,
    nowMs,
    (before) => new Map([...before].filter(([name]) => !names.includes(name))),
  );
  const ended = names.filter((name) => drained.has(name));
  if (options.json) writers.out(formatJson({ undrained: ended }, 2));
  else if (!options.quiet)
    for (const name of names) writers.out(`${name}: ${drained.has(name) ? "no longer drained" : "was not drained"}`);
  return 0;
}

/** Returns the nodes that a pattern means. A drained node may have left the inventory. */
function findDrainedNames(pattern: string, inventory: Inventory, drained: Drains): string[] {
  if (drained.has(pattern)) return [pattern];
  rejectClusters([pattern], inventory);
  try {
    return selectNodes(inventory, pattern).map(({ name }) => name);
  } catch (error) {
    if (!(error instanceof UsageError) || drained.size === 0) throw error;
    throw new UsageError(
      error.message,
      suggest(pattern, [...inventory.nodes.map(({ name }) => name), ...drained.keys()]),
    );
  }
}

/** Throws UsageError where a pattern names a cluster or a pilot: it says what to do instead. */
function rejectClusters(patterns: readonly string[], { clusters }: Inventory): void {
  for (const word of patterns.flatMap((pattern) => pattern.split(",")).map((one) => one.trim())) {
    const cluster = clusters.find(({ name }) => word === name || word.startsWith(`${name}/`));
    if (cluster === undefined) continue;
    const { name, positions } = cluster;
    if (word === name)
      throw new UsageError(
        `${name} is a Slurm cluster; only machines are drained`,
        `To leave it out of a run, end the run with muster cancel, and resume it with --limit '!${name}'.`,
      );
    throw new UsageError(
      `${word} is a pilot of the Slurm cluster ${name}; only machines are drained`,
      `\`scancel ${word.slice(name.length + 1)}\` ends it, and its chunks go to other pilots. To avoid a compute node, add \`--exclude=NODE\` to \`sbatch\` of ${name}${describePlace(positions.sbatch)}.`,
    );
  }
}

function requireDrainsFile({ file }: Inventory): string {
  const path = drainsFilePath(file);
  if (path !== undefined) return path;
  throw new UsageError(
    "drains are kept beside an inventory, and there is none here",
    "Name one with -i FILE, or change to its folder.",
  );
}

function rejectDrainOptions({ reason, until, now }: DrainOptions): void {
  if (reason !== undefined || until !== undefined || now)
    throw new UsageError("drain: name the nodes to drain", "For example: muster drain rig-6600 --until 18:00");
}

function readDrain({ reason, until, now }: DrainOptions, nowMs: number): Drain {
  if (reason !== undefined && (reason.trim() === "" || reason.length > MAX_REASON_CHARS))
    throw new UsageError(`drain: --reason must have 1 to ${MAX_REASON_CHARS} characters`);
  return {
    ...(reason === undefined ? {} : { reason }),
    since: new Date(nowMs).toISOString(),
    ...(until === undefined ? {} : { until: parseUntil(until, new Date(nowMs)).toISOString() }),
    ...(now ? { now } : {}),
  };
}

function showDrains(
  { nodes }: Pick<Inventory, "nodes">,
  drains: Drains,
  options: CommonOptions,
  writers: Writers,
): number {
  const shown = nodes.flatMap(({ name }) => {
    const one = drains.get(name);
    return one === undefined ? [] : [{ name, drain: one }];
  });
  if (options.json)
    writers.out(
      formatJson(
        { drained: shown.map(({ name, drain: { now, ...one } }) => ({ node: name, ...one, now: now === true })) },
        2,
      ),
    );
  else if (!options.quiet) writers.out(shown.length === 0 ? "no node is drained" : formatDrainedNodes(shown));
  return 0;
}
