import { Dialer } from "../../fleet/connect.js";
import { addressOf, type Node } from "../../fleet/node.js";
import { MusterError } from "../../schemas/errors.js";
import { agentProgram } from "../../templates/nodeprograms.js";
import type { Job } from "../job/job.js";
import { planJob } from "../schedule/plan/planjob.js";
import { findNodeRefusal } from "../schedule/slots/nodeslots.js";
import { cleanComplete, cleaningOf } from "./cleaning.js";
import { conclude } from "./conclude.js";
import { Coordinator } from "./coordinator.js";
import type { Inspection } from "./inspection.js";
import { fingerprints, hashFiles } from "./node/hashes.js";
import type { Observer } from "./observer.js";
import { runPath } from "./record/claim.js";
import { RatesFile } from "./record/ratesfile.js";
import { openRunDirectory } from "./record/rundir.js";
import { type LeftOut, type Summary, summarize } from "./record/summary.js";
import { Tally } from "./record/tally.js";
import { Canary } from "./results/canary.js";
import { explainDisk } from "./results/disk.js";

export interface RunOptions {
  out: string | undefined;
  fresh: boolean;
  /** Stops what another copy of the run directory has on the nodes, and continues under a new run id. */
  adopt: boolean;
  /** What `-i` takes to find these nodes again: a file (absolute), or `local`. */
  inventory: string;
  /** Fires when the run should stop, leaving the nodes to go on with what they have. */
  stop: AbortSignal;
  /** Whether a node is meant by names, tags and globs. */
  selected: (node: Node, patterns: readonly string[]) => boolean;
  observer: Observer;
  /** The file that keeps what was learned of how fast slots are; undefined = it is forgotten. */
  rates: string | undefined;
  /** Looks at every node before its first chunk; undefined where the job needs no playbooks. */
  inspection: Inspection | undefined;
}

/** What a run came to; `already`: there was nothing left to do. */
export interface Outcome {
  summary: Summary;
  already: boolean;
}

/**
 * Runs a job on nodes, in its run directory, on from where an earlier run of it stopped. Rejects with a MusterError where
 * that is refused (OTHER_RUN, HELD, JOURNAL_DAMAGED, RESULTS_DAMAGED) or where no node may work on it (NO_NODE).
 */
export async function runJob(job: Job, nodes: Node[], options: RunOptions): Promise<Outcome> {
  const leftOut: LeftOut[] = [];
  const able = nodes.filter((node) => {
    const reason = findNodeRefusal(node, job.needs, options.selected);
    if (reason !== undefined) leftOut.push({ node: node.name, reason });
    return reason === undefined;
  });
  const contents = await hashFiles(job);
  const directory = await openRunDirectory(runPath(job, options.out, options.fresh), {
    job,
    inputs: fingerprints(job, contents),
    adopt: options.adopt,
  });
  try {
    const cleaning = cleaningOf(job, directory, nodes, options);
    if (directory.isComplete) {
      const leftovers = await cleanComplete(directory, cleaning);
      const summary = summarize(directory.path, new Tally(job, directory.past), [], leftOut, { state: "complete" });
      return { summary: { ...summary, leftovers }, already: true };
    }
    if (able.length === 0) throw noNode(leftOut);
    const run = {
      id: directory.id,
      name: job.name,
      formerIds: directory.formerIds,
      nonce: directory.nonce,
      nonces: directory.nonces,
      priority: job.priority,
      contents,
      agent: agentProgram(),
      needs: job.needs,
      inspection: options.inspection,
      dialer: new Dialer(),
    };
    const memory = new RatesFile(options.rates, job.name, (message) => options.observer.note(message));
    const learned = memory.read();
    const canary = await Canary.open(job, directory);
    const coordinator = new Coordinator(job, able, directory, run, options.observer, learned, canary);
    const [names, addresses] = [able.map((node) => node.name), able.map(addressOf)];
    directory.journal.add({ e: "nodes", nodes: names, inventory: options.inventory, addresses });
    await directory.journal.flush();
    options.observer.begin(coordinator, directory.path, leftOut);
    const worked = await memory.during(coordinator.work(options.stop), () => coordinator.learned());
    const plan = () => planJob(job, able, options.selected, learned, directory.past.done);
    const summary = await conclude({ job, directory, coordinator, leftOut, cleaning, plan }, worked);
    return { summary, already: false };
  } catch (error) {
    throw explainDisk(directory.path, error);
  } finally {
    directory.close();
  }
}

function noNode(leftOut: LeftOut[]): MusterError {
  const reasons = leftOut.map(({ node, reason }) => `\n    ${node}: ${reason}`).join("");
  return new MusterError("NO_NODE", 69, `no node of the inventory may run this job${reasons}`, {
    next: "Change the job's `needs`, --limit, or the inventory.",
  });
}
