import type { ClusterInspection } from "../../fleet/slurm/checkcluster.js";
import type { Cluster } from "../../fleet/slurm/cluster.js";
import type { ClusterFacts } from "../../fleet/slurm/slurmengine.js";
import type { ClusterReport } from "../../report/clusterchecks.js";
import type { ClusterLook } from "../../report/clusterstable.js";
import { MusterError } from "../../schemas/errors.js";
import { createNode } from "../fleet/nodes.js";

/** Returns a cluster with nothing special about it. */
export function createCluster(name: string, change: Partial<Cluster> = {}): Cluster {
  const node = createNode({ name, host: "login" });
  return {
    name,
    login: node,
    pilot: { ...node, connection: "slurm", slots: 4 },
    request: { cpus: 4, timeSeconds: 3600, sbatch: [] },
    pilots: 8,
    setup: [],
    modules: [],
    positions: {},
    overflowAfterSeconds: undefined,
    ...change,
  };
}

export const clusterFacts: ClusterFacts = {
  version: "22.05.8",
  partitions: [
    {
      name: "gpu",
      isDefault: true,
      state: "up",
      timeLimitSeconds: 86_400,
      nodes: { idle: 2, "down*": 1 },
      cpus: { free: 16, total: 96 },
      gpus: { free: 3, total: 12 },
      gres: ["gpu:a100:4"],
      largest: { cpus: 32, memoryBytes: 64 * 2 ** 30 },
    },
  ],
  otherPartitions: [],
  jobs: new Map([
    ["7", { jobName: "muster-x", state: "running", secondsLeft: 60 }],
    ["8", { jobName: "other", state: "pending", reason: "Priority" }],
  ]),
};

const refused = createCluster("zeus", { request: { cpus: 1, timeSeconds: 60, sbatch: [], partition: "nosuch" } });
const error = new MusterError("UNREACHABLE", "connect to login: no route", { node: "far", next: "check the machine" });

/** One that can be used, one without its partition, and one that is not reached. */
export const clusterLooks: ClusterLook[] = [
  { cluster: createCluster("hpc"), value: clusterFacts },
  {
    cluster: refused,
    value: { ...clusterFacts, partitions: [], otherPartitions: clusterFacts.partitions, jobs: new Map() },
  },
  { cluster: createCluster("far"), error },
];

const checks: ClusterInspection["checks"] = [
  { what: "partition", isOk: true, text: "gpu" },
  { what: "request", isOk: true, text: "a pilot would start now on node2" },
];

/** What `muster doctor` finds out about three clusters. */
export const clusterReports: ClusterReport[] = [
  { cluster: createCluster("hpc"), value: { facts: clusterFacts, checks } },
  {
    cluster: refused,
    value: {
      facts: clusterFacts,
      checks: [...checks, { what: "time", isOk: false, text: "2 d 0 h is above the limit", next: "Set `time`." }],
    },
  },
  { cluster: createCluster("far"), error },
];
