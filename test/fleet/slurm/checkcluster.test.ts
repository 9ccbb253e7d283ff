import t from "tap";
import { checkCluster } from "../../../fleet/slurm/checkcluster.js";
import type { PartitionFacts } from "../../../fleet/slurm/partitions.js";
import type { ClusterFacts, SlurmEngine } from "../../../fleet/slurm/slurmengine.js";
import { createSlurmError } from "../../../fleet/slurm/slurmerror.js";
import { SBATCH_ERRORS } from "../engines/slurmoutputs.js";
import { createCluster } from "./clusters.js";

function createPartition(name: string, change: Partial<PartitionFacts> = {}): PartitionFacts {
  const none = { free: 0, total: 0 };
  const largest = { cpus: 8, memoryBytes: 16 * 2 ** 30 };
  const basis = { name, isDefault: true, state: "up", timeLimitSeconds: undefined, nodes: {}, cpus: none, gpus: none };
  return { ...basis, gres: ["gpu:4"], largest, ...change };
}

/** Checks a cluster of which Slurm says this, and that takes every request unless `refusal` are its words. */
async function check(keys: string, facts: Partial<ClusterFacts> = {}, refusal?: string) {
  const cluster = createCluster(keys);
  const all = { version: "22", partitions: [createPartition("gpu")], otherPartitions: [], jobs: new Map(), ...facts };
  const engine = {
    cluster,
    inspect: async () => all,
    readShellOutput: async () => "",
    estimateStart: async () => {
      if (refusal === undefined) return { startSeconds: 0, nodes: "n1", partition: "gpu" };
      throw createSlurmError(cluster, "sbatch", { kind: "exit", code: 1, stdout: "", stderr: refusal });
    },
  };
  return (await checkCluster(engine as unknown as SlurmEngine)).checks;
}

t.test("what is larger than the largest node is named with its place, once", async (t) => {
  const table: [keys: string, what: string, text: RegExp, next: RegExp][] = [
    [
      "memory: 900GiB",
      "memory",
      /has 900\.0 GiB; the largest has 16\.0 GiB/,
      /`memory` of hpc .*:2:\d+\) to at most 16384MiB/,
    ],
    ["cpus: 99", "cpus", /has 99 CPUs; the largest has 8/, /`cpus` of hpc .*\(i\.yaml:2:\d+\) to at most 8/],
    ["gres: 'gpu:5', cpus: 2", "gres", /no node of the partition has gpu:5/, /`gres` of hpc .*\(i\.yaml:2:\d+\)/],
  ];
  for (const [keys, what, text, next] of table) {
    const checks = await check(keys, {}, SBATCH_ERRORS.gresCount);
    const wrong = checks.filter(({ isOk }) => !isOk);
    t.match(
      wrong,
      [
        { what, text, next },
        { what: "request", text: /node configuration/ },
      ],
      keys,
    );
    t.equal(wrong[1]!.next, undefined, "the advice is given above");
  }
});

t.test("a refusal that no figure explains names the keys that may be the cause", async (t) => {
  const checks = await check("cpus: 4, memory: 1GiB", {}, SBATCH_ERRORS.gresCount);
  t.match(
    checks.filter(({ isOk }) => !isOk),
    [{ what: "request", next: /`cpus` \(i\S+\) or `memory` \(i\S+\) of hpc/ }],
  );
  t.match(
    checks.filter(({ what }) => what === "cpus" || what === "memory"),
    [{ text: "4 of 8" }, { text: /^1\.0 GiB of/ }],
  );
});

t.test("memory that Slurm does not know is not compared", async (t) => {
  const partitions = [createPartition("gpu", { largest: { cpus: 8, memoryBytes: 2 ** 20 } })];
  t.ok((await check("memory: 900GiB", { partitions })).every(({ isOk }) => isOk));
});

t.test("a partition that is down is named with its state", async (t) => {
  const down = createPartition("gpu", { state: "down" });
  const [, alone] = await check("partition: gpu", { partitions: [down] });
  t.match(alone, { what: "partition", isOk: false, text: "gpu (down): no pilot starts there for now" });
  t.equal(alone!.next, "Wait until its operators have set it up again.");
  const others = [createPartition("short"), createPartition("old", { state: "inact" })];
  const [, other] = await check("partition: gpu", { partitions: [down], otherPartitions: others });
  t.match(other!.next, /, or set `partition` of hpc in the inventory \(i\.yaml:2:\d+\); there is short\.$/);
  const [, both] = await check("partition: 'gpu,short'", { partitions: [down, others[0]!] });
  t.match(both, { isOk: true, text: "gpu (down), short" });
});
