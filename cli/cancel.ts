import { existsSync } from "node:fs";
import { join } from "node:path";
import { anyStanding } from "../executor/pipeline/standing.js";
import { type Stopped, stopOn } from "../executor/run/cancel.js";
import type { Past } from "../executor/run/past.js";
import { findRuns } from "../executor/run/standing.js";
import { markCancelled } from "../executor/run/summary.js";
import { takeOver } from "../executor/run/takeover.js";
import { findInventory, type Inventory, matches } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { plural, printable } from "../report/format.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { agentProgram } from "../templates/templates.js";
import type { CommonOptions } from "./common.js";
import { runDirectory } from "./directory.js";

/**
 * `muster cancel [RUN]`: ends a run everywhere, whether its coordinator lives or not. What it has done is kept, and the command
 * that ran it goes on from there. Answers 0, or 3 where a node could not be reached.
 */
export async function cancel(word: string | undefined, options: CommonOptions, writers: Writers): Promise<number> {
  const path = word === undefined ? onlyRun() : runDirectory(word);
  if (path === undefined) throw new UsageError(`${word}: is neither a run directory nor the name of one in ./runs`);
  const say = (text: string) => {
    if (!options.quiet && !options.json) writers.err(text);
  };
  const taken = await takeOver(path, (pid) => say(`muster process ${pid} is told to end`));
  try {
    const { past, journal } = taken;
    const stopped = await Promise.all(
      nodesOf(past, options).map(async (found) => {
        const one = found.node === undefined ? missing(found.name) : await stopOn(found.node, contextOf(past));
        say(textOf(one));
        return one;
      }),
    );
    if (!past.complete && past.run !== undefined) {
      markCancelled(path);
      journal.add({ e: "close", state: "cancelled" });
      await journal.flush();
    }
    return conclude(path, past, stopped, options, writers);
  } finally {
    taken.close();
  }
}

/** Without a word: this folder where it is a run directory, else the one run under it that has not come to its end. */
function onlyRun(): string {
  const paths = findRuns(process.cwd());
  const open = paths.filter((path) => anyStanding(path, Date.now()).state !== "complete");
  if (open.length === 1) return open[0]!;
  const which = open.length === 0 ? "no run that has not come to its end" : `${plural(open.length, "unfinished run")}`;
  throw new UsageError(
    `cancel: there is ${which} here; name one`,
    open.length === 0 ? undefined : `muster cancel ${open[0]}`,
  );
}

/** The nodes that have worked on the run, from the inventories that it was run with (or from that of `-i`). */
function nodesOf(past: Past, options: CommonOptions): { name: string; node: Node | undefined }[] {
  const named = [...past.nodes].flatMap(([inventory, names]) => {
    const { nodes } = inventoryOf(inventory, options);
    return [...names].map((name) => ({ name, node: nodes.find((node) => node.name === name) }));
  });
  const patterns = options.limit?.split(",").map((pattern) => pattern.trim());
  if (patterns === undefined) return named;
  return named.filter(({ node }) => node !== undefined && matches(node, patterns));
}

function inventoryOf(recorded: string, options: CommonOptions): Inventory {
  if (options.inventory !== undefined) return findInventory(options.inventory, {}, process.cwd());
  if (recorded === "local" || existsSync(recorded)) return findInventory(recorded, {}, process.cwd());
  throw new MusterError("NO_INVENTORY", 65, `${recorded}, the inventory of this run, is not there any more`, {
    next: "Name another one with -i FILE.",
  });
}

function missing(node: string): Stopped {
  return { node, state: "failed", reason: "it is not in the inventory any more; name another one with -i FILE" };
}

/** What an agent is told of the run that it belongs to; it gets no work. */
function contextOf({ run, session }: Past) {
  const needs = { playbooks: [] };
  const agent = agentProgram();
  return { id: run!.id, name: run!.name, session, contents: new Map(), agent, needs, inspection: undefined };
}

function textOf({ node, state, reason }: Stopped): string {
  switch (state) {
    case "stopped":
      return `${node}: stopped, nothing is left`;
    case "nothing":
      return `${node}: nothing of it is there`;
    case "failed":
      return `${node}: not stopped: ${printable(reason ?? "")}`;
  }
}

function conclude(path: string, past: Past, nodes: Stopped[], options: CommonOptions, writers: Writers): number {
  const failed = nodes.filter((one) => one.state === "failed");
  const name = past.run?.name ?? path;
  const state = past.complete ? "was complete" : "cancelled";
  if (options.json)
    writers.out(
      JSON.stringify({ name, directory: path, state: past.complete ? "complete" : "cancelled", nodes }, null, 2),
    );
  else if (!options.quiet || failed.length > 0)
    writers.out(
      failed.length === 0
        ? `${name}: ${state}; ${plural(past.chunks, "chunk")} done and kept, nothing is left on ${plural(nodes.length, "node")}`
        : `${name}: ${state}, but not on ${failed.map((one) => one.node).join(", ")}: agents there end by themselves after their lease, or cancel again (journal: ${join(path, "journal.ndjson")})`,
    );
  return failed.length === 0 ? 0 : 3;
}
