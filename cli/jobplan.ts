import type { Job } from "../executor/job/job.js";
import { type ClusterPlan, planClusters } from "../executor/run/pilots/plancluster.js";
import { loadQueuedTasks } from "../executor/run/queue/queuedwork.js";
import { readLearnedRates } from "../executor/run/record/ratesfile.js";
import { planJob, type RunPlan } from "../executor/schedule/plan/planjob.js";
import { findNodeRefusal } from "../executor/schedule/slots/nodeslots.js";
import { type Inventory, matchesAnyPattern } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import type { Cluster } from "../fleet/slurm/cluster.js";

/** What a job would do, found without connecting to any node. */
export interface JobPlan {
  plan: RunPlan;
  clusters: ClusterPlan[];
  /** Whether a node or a cluster may run it, or nothing is left to run. */
  mayRun: boolean;
}

/** Where a job may run. */
export interface Machines {
  inventory: Inventory;
  nodes: Node[];
  clusters: readonly Cluster[];
}

/** Plans a job. `queuePath`: the run directory that has the tasks of its queue, if it has one. */
export function planJobOn({ inventory, nodes, clusters }: Machines, job: Job, queuePath: string | undefined): JobPlan {
  const done = queuePath === undefined || job.queue === undefined ? undefined : loadQueuedTasks(queuePath, job);
  const plan = planJob(job, nodes, matchesAnyPattern, readLearnedRates(inventory.file, job.work), done);
  const planned = planClusters(job, clusters, matchesAnyPattern, done?.size());
  return { plan, clusters: planned, mayRun: plan.units === "0" || mayRunOn(nodes, planned, job) };
}

/** Returns a note for each job that no node and no cluster of the inventory may run. */
export function noteUnrunnableJobs(jobs: readonly Job[], { nodes, clusters }: Inventory): string[] {
  const unrunnable = jobs.filter((job) => !mayRunOn(nodes, planClusters(job, clusters, matchesAnyPattern), job));
  return unrunnable.map(({ name }) => `no node of the inventory may run ${name}; muster run --plan says why`);
}

function mayRunOn(nodes: readonly Node[], clusters: readonly ClusterPlan[], { needs }: Job): boolean {
  return (
    nodes.some((node) => findNodeRefusal(node, needs, matchesAnyPattern) === undefined) ||
    clusters.some(({ refused }) => refused === undefined)
  );
}
