import t from "tap";
import { buildClusterChecks, formatClusterChecks, isInOrder } from "../../report/clusterchecks.js";
import {
  buildClusterRecords,
  formatClusterLine,
  formatClustersTable,
  formatUnusableClusters,
} from "../../report/clusterstable.js";
import { clusterFacts, clusterLooks, clusterReports, createCluster } from "./clustersample.js";

t.test("a row for each partition, with what Slurm says below it", async (t) => {
  t.same(formatClustersTable(clusterLooks).split("\n"), [
    "cluster  partition   gpus free  cpus free  limit    nodes",
    "hpc      gpu         3 of 12    16 of 96   1 d 0 h  2 idle, 1 down*",
    "    Slurm 22.05.8, your jobs in its queue: 1 running, 1 waiting (Priority)",
    "zeus     not usable",
    '    there is no partition "nosuch"; there is gpu',
    "far      not usable",
    "    connect to login: no route",
    "    next: check the machine",
    "",
    "1 of 3 clusters usable",
  ]);
  t.match(formatUnusableClusters(clusterLooks), /^zeus\n.*\nfar\n/);
  t.equal(formatUnusableClusters(clusterLooks.slice(0, 1)), "");
  t.same(clusterLooks.map(formatClusterLine), [
    "hpc: Slurm 22.05.8, 3 nodes",
    "zeus: Slurm 22.05.8, 0 nodes",
    "far: connect to login: no route",
  ]);
});

t.test("a partition that is down makes a cluster unusable where it has no other", async (t) => {
  const gpu = clusterFacts.partitions[0]!;
  const down = { ...gpu, state: "down" };
  const look = { cluster: createCluster("hpc"), value: { ...clusterFacts, partitions: [down] } };
  const text = formatClustersTable([look]);
  t.match(text, /\nhpc +gpu \(down\) +3 of 12 .*\n {4}no pilot starts now: the partition gpu is down\n {4}Slurm /);
  t.match(text, /\n0 of 1 cluster usable$/);
  t.equal(formatUnusableClusters([look]), "hpc\n    no pilot starts now: the partition gpu is down");
  t.match(buildClusterRecords([look]), [{ usable: false, partitions: [{ state: "down" }] }]);
  const both = { ...look, value: { ...clusterFacts, partitions: [down, { ...gpu, name: "short" }] } };
  t.match(formatClustersTable([both]), /\nhpc +gpu \(down\) .*\nhpc +short .*\n\n1 of 1 cluster usable$/s);
});

t.test("clusters are records of the JSON document", async (t) => {
  const [hpc, zeus, far] = buildClusterRecords(clusterLooks);
  t.match(hpc, { cluster: "hpc", usable: true, version: "22.05.8", partitions: [{ timeLimitSeconds: 86_400 }] });
  t.match(hpc, { jobs: [{ id: "7", state: "running" }, { reason: "Priority" }] });
  t.match(zeus, { cluster: "zeus", usable: false });
  t.match(far, { usable: false, code: "UNREACHABLE", next: "check the machine" });
});

t.test("doctor says what is wrong, and when a pilot would start where nothing is", async (t) => {
  t.same(formatClusterChecks(clusterReports, "trouble").split("\n"), [
    "hpc: Slurm 22.05.8, 2 ok, a pilot would start now on node2",
    "zeus: Slurm 22.05.8, 2 ok, 1 not ok",
    "    ! time: 2 d 0 h is above the limit",
    "    next: Set `time`.",
    "far: not usable",
    "    connect to login: no route",
    "    next: check the machine",
  ]);
  t.match(formatClusterChecks(clusterReports, "all"), /^hpc: .*\n {4}partition: gpu\n {4}request: a pilot/);
  t.same(clusterReports.map(isInOrder), [true, false, false]);
  t.same(
    buildClusterChecks(clusterReports).map(({ state }) => state),
    ["ok", "trouble", "unreachable"],
  );
});
