import { setTimeout as sleep } from "node:timers/promises";
import { findActiveRuns } from "../executor/run/record/activeruns.js";
import { SampledFleet, type SampledNode } from "../fleet/gpus/sampledfleet.js";
import { findInventory, selectNodes } from "../fleet/inventory.js";
import { findRunsFolder } from "../launch/findrun.js";
import { TERMINAL_COLUMNS } from "../report/columns.js";
import { toPrintableText } from "../report/format.js";
import { type FleetView, renderFleet } from "../report/topview.js";
import type { Writers } from "../report/writers.js";
import { formatJson } from "../schemas/escape.js";
import { explainUnreached } from "./explainunreached.js";
import { showFleet } from "./fleetscreen.js";
import { handleInterrupt } from "./interrupt.js";
import type { CommonOptions } from "./options.js";

const INTERVAL_SECONDS = 2;
/** For which a single look waits for nodes that do not answer: longer than a dial takes, whose error says more. */
const LOOK_SECONDS = 25;

/**
 * `muster top [RUN]`: shows what the GPUs of all nodes do, and what runs on them, until q is pressed. Elsewhere than on a terminal, and
 * with --json or --no-color, it looks once. Nothing is changed or left on a node. Returns the exit status.
 */
export async function top(folderOrRun: string | undefined, options: CommonOptions, writers: Writers): Promise<number> {
  const nodes = selectNodes(findInventory(options.inventory, process.env, process.cwd()), options.limit);
  const folder = folderOrRun === undefined ? process.cwd() : findRunsFolder(folderOrRun);
  const interrupt = handleInterrupt();
  const quit = new AbortController();
  const signal = AbortSignal.any([interrupt.signal, quit.signal]);
  const fleet = new SampledFleet(nodes, INTERVAL_SECONDS, signal);
  const read = (): FleetView => ({ nodes: fleet.current, runs: findActiveRuns(folder) });
  try {
    if (canRedraw(options)) {
      await showFleet(read, options, signal);
      return interrupt.exitStatus() ?? 0;
    }
    await Promise.race([fleet.answered(), sleep(LOOK_SECONDS * 1000, undefined, { signal, ref: false })]).catch(
      () => {},
    );
    if (interrupt.signal.aborted) return interrupt.exitStatus()!;
    const view = endLook(read());
    if (options.json) writers.out(formatJson(buildDocument(view), 2));
    else printOnce(view, options, writers);
    return exitStatusOf(view.nodes);
  } finally {
    quit.abort();
    await fleet.ended;
    interrupt.release();
  }
}

/** Returns whether people look at a terminal that can be redrawn. */
function canRedraw({ json, quiet, color }: CommonOptions): boolean {
  const isTerminal = process.stdout.isTTY === true && process.stdin.isTTY === true && process.env.TERM !== "dumb";
  return isTerminal && !json && !quiet && color !== false;
}

/** Returns a view in which every node has answered or not. */
function endLook({ nodes, runs }: FleetView): FleetView {
  const reason = `no answer within ${LOOK_SECONDS} s`;
  const next = "check that the machine is on, and host and port in the inventory";
  const end = (one: SampledNode): SampledNode =>
    one.state === "connecting" ? { node: one.node, state: "away", reason, next } : one;
  return { nodes: nodes.map(end), runs };
}

function printOnce(view: FleetView, { quiet }: CommonOptions, writers: Writers): void {
  const frame = { columns: TERMINAL_COLUMNS + 1, rows: 0, nowMs: Date.now(), paint: (text: string) => text };
  if (!quiet) writers.out(toPrintableText(renderFleet(view, frame)));
  for (const one of view.nodes)
    if (one.state === "away") writers.err(explainUnreached(one.node.name, one.reason, one.next));
}

/** The document of --json. */
function buildDocument({ nodes, runs }: FleetView): object {
  return {
    nodes: nodes.map((one) => ({
      node: one.node.name,
      drain: one.node.drain,
      state: one.state,
      ...describeState(one),
    })),
    runs: runs.map(({ label, path, live }) => ({ run: label, path, live })),
  };
}

function describeState(sampled: SampledNode): object {
  switch (sampled.state) {
    case "connecting":
      return {};
    case "away":
      return { reason: sampled.reason, next: sampled.next };
    case "live":
      return { at: new Date(sampled.atMs).toISOString(), ...sampled.sample };
    default:
      return sampled satisfies never;
  }
}

function exitStatusOf(nodes: readonly SampledNode[]): number {
  const live = nodes.filter(({ state }) => state === "live").length;
  if (live === nodes.length) return 0;
  return live === 0 ? 69 : 3;
}
