import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { Dialer } from "../../fleet/connect.js";
import type { Node } from "../../fleet/node.js";
import { MusterError } from "../../schemas/errors.js";
import { agentProgram } from "../../templates/templates.js";
import type { FromAgent } from "./agent/protocol.js";
import { type RunContext, rootOf } from "./context.js";
import { isSuccess } from "./node/failure.js";
import { Session } from "./node/session.js";
import { stopAgent } from "./node/stopagent.js";
import { type Entry, readEntries } from "./record/journal.js";
import { Past } from "./record/past.js";
import { markCancelled } from "./record/summary.js";
import { takeOver } from "./record/takeover.js";

/** What became of a run that was to be ended; one that was complete stays so. */
export interface Cancelled {
  name: string;
  directory: string;
  state: "cancelled" | "complete";
  /** Chunks that are done, and kept. */
  chunks: number;
  /** Chunks that were done on a node and had not been collected: they are computed again when the run goes on. */
  dropped: number;
  nodes: Stopped[];
}

/** Where nodes are found again, and who is told. */
export interface CancelMeans {
  /** The nodes called `names` of what `-i` takes; those that are meant, `node` undefined where there is none of that name. */
  nodesOf(inventory: string, names: Iterable<string>): { name: string; node: Node | undefined }[];
  /** A coordinator is told to end. */
  ending(pid: number): void;
  stopped(one: Stopped): void;
}

/**
 * Ends the run in the directory `path`: its coordinator, where it lives, then all that it has on its nodes; and closes its
 * journal. Rejects as takeOver does.
 */
export async function cancelRun(path: string, means: CancelMeans): Promise<Cancelled> {
  const taken = await takeOver<Entry, Past>(path, () => new Past(), means.ending);
  try {
    const { past, journal } = taken;
    const found = [...past.nodes].flatMap(([inventory, names]) => means.nodesOf(inventory, names));
    const finished = new Set<string>();
    const dialer = new Dialer();
    const nodes = await Promise.all(
      found.map(async ({ name, node }) => {
        const one = node === undefined ? missing(name) : await stopOn(node, contextOf(past, dialer), finished);
        means.stopped(one);
        return one;
      }),
    );
    if (!past.complete) {
      markCancelled(path);
      journal.add({ e: "close", state: "cancelled" });
      await journal.flush();
    }
    const { run, chunks, complete } = past;
    const dropped = uncommitted(path, finished);
    const state = complete ? "complete" : "cancelled";
    return { name: run?.name ?? path, directory: path, state, chunks, dropped, nodes };
  } finally {
    taken.close();
  }
}

/** How many of these chunks the journal does not have: a node may still hold what it has not been told to be safe. */
function uncommitted(path: string, chunks: Set<string>): number {
  const left = new Set(chunks);
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  try {
    if (left.size > 0) readEntries(fd, file, (entry) => entry.e === "done" && left.delete(entry.chunk));
  } finally {
    closeSync(fd);
  }
  return left.size;
}

function missing(node: string): Stopped {
  return { node, state: "failed", reason: "it is not in the inventory any more; name another one with -i FILE" };
}

/**
 * What an agent is told of the run that it belongs to; it gets no work. The last coordinator's nonce is used again: nothing is
 * issued under it, and where an agent cannot be stopped now it still belongs to this run directory.
 */
function contextOf(past: Past, dialer: Dialer): RunContext {
  const { run, ids, nonces } = past;
  const nonce = nonces.at(-1) ?? "";
  return {
    id: ids.at(-1)!,
    formerIds: ids.slice(0, -1),
    name: run!.name,
    nonce,
    nonces,
    priority: 0,
    contents: new Map(),
    agent: agentProgram(),
    needs: { playbooks: [] },
    inspection: undefined,
    dialer,
  };
}

/** What was done about a run on one node. */
export interface Stopped {
  node: string;
  /** `nothing`: nothing of the run was there. */
  state: "stopped" | "nothing" | "failed";
  /** Why it failed. */
  reason?: string;
}

/**
 * Ends what a run has on a node: its processes are killed, its folder is deleted. An agent that is not there any more is
 * started once more for that: it knows how to find what it left. `finished`: the chunks that it has results of are added.
 * Never rejects for what nodes do.
 */
async function stopOn(node: Node, run: RunContext, finished: Set<string>): Promise<Stopped> {
  try {
    return { node: node.name, state: (await stop(node, run, finished)) ? "stopped" : "nothing" };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    const prefix = `${node.name}: `;
    const reason = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
    return { node: node.name, state: "failed", reason };
  }
}

/** Whether there was anything to stop. */
async function stop(node: Node, run: RunContext, finished: Set<string>): Promise<boolean> {
  const connection = await run.dialer.connect(node);
  try {
    const files = await connection.files();
    const home = await files.home();
    let wasThere = false;
    for (const id of run.formerIds) if (await stopAgent(connection, run.agent, rootOf(id, node))) wasThere = true;
    const root = rootOf(run.id, node).replace(/^~/, () => home);
    if ((await files.stat(root)) === undefined) return wasThere;
    let trouble = "the agent was told to stop and has not";
    const hear = (message: FromAgent) => {
      if (message.ev === "problem") trouble = message.message;
      if (message.ev === "done" && isSuccess(message)) finished.add(message.chunk);
    };
    const session = await Session.attach(node, run, { boot: undefined, cards: [] }, () => [], hear);
    session.send({ op: "stop" });
    await session.bye(node.grace);
    if ((await files.stat(root)) === undefined) return true;
    throw new MusterError("NOT_STOPPED", 3, `${root} is still there: ${trouble}`);
  } finally {
    await connection.close();
  }
}
