import t from "tap";
import { parseInventory } from "../../../fleet/inventory.js";
import { createPilotNode, warningSeconds } from "../../../fleet/slurm/cluster.js";
import { parseSource } from "../../../schemas/parsesource.js";
import { catchProblems, formatProblems } from "../../schemas/problems.js";
import { createCluster } from "./clusters.js";

const load = (text: string) => parseInventory(parseSource("i.yaml", text), "/cluster/i.yaml");

t.test("a cluster with defaults alone", async (t) => {
  const { login, pilot, request, ...rest } = createCluster();
  t.match(login, { name: "hpc", connection: "ssh", host: "login.uni", gpus: 0, profile: { vendor: "none" } });
  t.match(pilot, {
    connection: "slurm",
    profile: { vendor: "none" },
    gpus: 0,
    slots: 1,
    workdir: "/tmp/muster-%j",
    leaseSeconds: 300,
  });
  t.strictSame(request, {
    partition: undefined,
    account: undefined,
    gres: undefined,
    cpus: 1,
    memory: undefined,
    timeSeconds: 3600,
    sbatch: [],
  });
  t.strictSame(rest, {
    name: "hpc",
    pilots: 1,
    setup: [],
    modules: [],
    positions: {},
    overflowAfterSeconds: undefined,
  });
});

t.test("a cluster with every key", async (t) => {
  const keys = [
    "partition: gpu, account: x, gres: 'gpu:a100:2', cpus: 8, memory: 16GiB, time: 4h, pilots: 16",
    "sbatch: [--qos=long], modules: [cuda/12.4], setup: [source ~/v/bin/activate], use: overflow, overflow_after: 10m",
    "workdir: /scratch/%j, lease: 10m, tags: [big], slots: 2",
  ];
  const cluster = createCluster(keys.join(", "));
  t.match(cluster, {
    pilots: 16,
    setup: ["source ~/v/bin/activate"],
    modules: ["cuda/12.4"],
    overflowAfterSeconds: 600,
    request: {
      partition: "gpu",
      account: "x",
      gres: "gpu:a100:2",
      cpus: 8,
      memory: 16 * 2 ** 30,
      timeSeconds: 4 * 3600,
      sbatch: ["--qos=long"],
    },
    pilot: { gpus: 2, slots: 2, workdir: "/scratch/%j", leaseSeconds: 600, tags: ["big"] },
  });
  t.equal(cluster.pilot.profile.vendor, "nvidia");
  t.strictSame(Object.keys(cluster.positions).sort(), [
    "account",
    "cpus",
    "gres",
    "memory",
    "partition",
    "sbatch",
    "time",
  ]);
  t.match(cluster.positions.partition, { file: "i.yaml", line: 2, column: 52 });
  t.equal(createCluster("use: overflow").overflowAfterSeconds, 1800);
  t.equal(createCluster("use: always").overflowAfterSeconds, undefined);
});

t.test("slots and vendor follow from what a pilot has", async (t) => {
  const table: [keys: string, gpus: number, slots: number | undefined, vendor: string][] = [
    ["cpus: 4", 0, 4, "none"],
    ["gres: gpu", 1, undefined, "nvidia"],
    ["gres: 'gpu:3', cpus: 4", 3, undefined, "nvidia"],
    ["gres: 'gpu:mi210'", 1, undefined, "amd"],
    ["gres: 'gpu:MI300A:4'", 4, undefined, "amd"],
    ["gres: 'gpu:rx6600:2'", 2, undefined, "amd"],
    ["gres: 'gpu:h100:8'", 8, undefined, "nvidia"],
    ["gres: 'gpu:3090:2'", 2, undefined, "nvidia"],
    ["gres: 'gpu:2080ti'", 1, undefined, "nvidia"],
  ];
  for (const [keys, gpus, slots, vendor] of table) {
    const { pilot } = createCluster(keys);
    t.strictSame([pilot.gpus, pilot.slots, pilot.profile.vendor], [gpus, slots, vendor], keys);
  }
  const profiles = "profiles: {x: {vendor: amd, vram: 8GiB}}\nnodes:\n";
  const { clusters } = load(
    `${profiles}  a: {engine: slurm, gres: "gpu:a100:1", profile: x}\n  b: {engine: slurm, profile: x}\n`,
  );
  t.match(clusters[0]!.pilot.profile, { vendor: "amd", vram: 8 * 2 ** 30 }, "the profile decides");
  t.equal(clusters[1]!.pilot.profile.vendor, "none", "no GPUs were asked for");
});

t.test("clusters are no nodes, and a login node on this machine", async (t) => {
  const { nodes, clusters } = load("nodes:\n  rig: {gpus: 1}\n  hpc: {engine: slurm, connection: local}\n  zeus:\n");
  t.strictSame([nodes.map(({ name }) => name), clusters.map(({ name }) => name)], [["rig", "zeus"], ["hpc"]]);
  t.match(clusters[0], { login: { connection: "local" }, pilot: { connection: "slurm" } });
});

t.test("a pilot is a node with a name and a folder of its own", async (t) => {
  const node = createPilotNode(createCluster("workdir: '/scratch/%j/muster-%j'"), "77");
  t.match(node, {
    name: "hpc/77",
    connection: "slurm",
    workdir: "/scratch/77/muster-77",
    allocation: { cluster: "hpc", id: "77" },
  });
});

t.test("the warning leaves most of a short time limit", async (t) => {
  const table = [
    [60, 15],
    [30, 10],
    [240, 60],
    [480, 120],
    [86_400, 120],
  ];
  for (const [timeSeconds, expected] of table) t.equal(warningSeconds({ timeSeconds: timeSeconds! }), expected);
});

t.test("problems are reported at their position", async (t) => {
  const table: [text: string, ...problems: string[]][] = [
    [
      "nodes:\n  rig: {partition: gpu, pilots: 2}\n",
      "2:20 nodes.rig.partition is for Slurm clusters",
      "2:33 nodes.rig.pilots is for Slurm clusters",
    ],
    ["nodes:\n  rig:\n    modules: [cuda]\n", "3:14 nodes.rig.modules as a list is for Slurm clusters"],
    [
      "nodes:\n  hpc:\n    engine: slurm\n    gpus: 4\n    kernel: {amdgpu.x: 1}\n",
      "4:11 nodes.hpc.gpus is for machines that muster keeps in their state, and hpc is a Slurm cluster",
      "5:13 nodes.hpc.kernel is for machines that muster keeps in their state, and hpc is a Slurm cluster",
    ],
    [
      "nodes:\n  hpc:\n    engine: slurm\n    modules: {kvm: {loaded: true}}\n",
      "4:14 nodes.hpc.modules is for machines that muster keeps in their state, and hpc is a Slurm cluster",
    ],
    [
      "nodes:\n  hpc: {engine: slurm, time: 59s}\n",
      "2:30 nodes.hpc.time must be at least a minute, because Slurm counts in minutes",
    ],
    [
      "nodes:\n  hpc: {engine: slurm, overflow_after: 1h}\n  b: {engine: slurm, use: always, overflow_after: 1h}\n",
      "2:40 nodes.hpc.overflow_after has an effect only with use: overflow",
      "3:51 nodes.b.overflow_after has an effect only with use: overflow",
    ],
    [
      "nodes:\n  hpc: {engine: slurm, connection: local, host: login.uni}\n",
      "2:49 nodes.hpc.host is for a login node that is reached over SSH, and connection is local",
    ],
    [
      "nodes:\n  hpc:\n    engine: slurm\n    sbatch: [--qos=a, --array=1-4]\n",
      "4:23 nodes.hpc.sbatch[1] must not have --array: a pilot is one job: the others would run on after it",
    ],
  ];
  for (const [text, ...problems] of table)
    t.strictSame(formatProblems(catchProblems(() => load(text))), problems, text);
  const [modules, gpus] = catchProblems(() =>
    load("nodes: {hpc: {engine: slurm, modules: {kvm: {loaded: true}}, gpus: 4}}"),
  )
    .map(({ hint }) => hint)
    .sort();
  t.strictSame([modules, gpus], ["give a list of environment modules", 'write gres: "gpu:NUMBER"']);
});

t.test("values are checked at their position", async (t) => {
  const table: [keys: string, problem: RegExp][] = [
    ["engine: pbs", /^3:14 nodes\.hpc\.engine .*slurm/],
    ["engine: slurm, gres: 'gpu:0'", /^3:27 .*gres must be gpu:NUMBER or gpu:TYPE:NUMBER/],
    ["engine: slurm, gres: 'gpu:a100:0'", /^3:27 .*gres must be gpu:NUMBER/],
    ["engine: slurm, gres: 'tpu:1'", /^3:27 .*gres must be gpu:NUMBER/],
    ["engine: slurm, gres: 'gpu:1,shard:2'", /^3:27 .*gres must be gpu:NUMBER/],
    ["engine: slurm, sbatch: [-q]", /^3:30 .*must be a long option/],
    ["engine: slurm, sbatch: ['--qos long']", /^3:30 .*must be a long option/],
    ["engine: slurm, partition: --x", /^3:32 .*must be the name of a partition/],
    ["engine: slurm, pilots: 0", /^3:29 .*pilots/],
    ["engine: slurm, modules: [--x]", /^3:31 .*must be the name of a module/],
    ["engine: slurm, partitoin: gpu", /^3:21 .*unknown key "?partitoin/],
    ["engine: slurm, time: soon", /^3:27 .*time/],
    ["engine: slurm, use: sometimes", /^3:26 .*use/],
  ];
  for (const [keys, problem] of table) {
    const found = formatProblems(catchProblems(() => load(`nodes:\n  hpc:\n    {${keys}}\n`)));
    t.equal(found.length, 1, keys);
    t.match(found[0], problem, keys);
  }
  const [misspelt] = catchProblems(() => load("nodes: {hpc: {engine: slurm, partitoin: gpu}}"));
  t.match(misspelt!.hint, /did you mean "?partition/);
});
