import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { checkCluster, shareSlurm, writeClusterInventory } from "./slurmlab.js";
import { runMuster } from "./startmuster.js";

const partitions = [{ name: "gpu" }, { name: "short", maxMinutes: 5 }];
const cluster = await shareSlurm(t, 1, { partitions, gpus: 1 });
const { skip, shop, slurm } = cluster;

/** Writes an inventory with these clusters beside `hpc`, all on the lab's login node. */
function writeInventory(file: string, others: Record<string, Record<string, unknown>> = {}): string {
  const { host, port, user, identityFile } = slurm.login;
  const login = { host, port, user, identity_file: identityFile, known_hosts: cluster.lab.knownHosts };
  const nodes = Object.fromEntries(
    Object.entries(others).map(([name, keys]) => [name, { engine: "slurm", ...login, ...keys }]),
  );
  return writeClusterInventory(cluster, { cpus: 2, pilots: 2 }, { file, nodes });
}

const troubled = () =>
  writeInventory("troubled.yaml", {
    late: { partition: "short", time: "1h" },
    wide: { gres: "gpu:4" },
    full: { memory: "900GiB" },
    many: { cpus: 99 },
    lost: { partition: "nosuch" },
    off: { port: 1 },
  });

t.test("nodes shows what Slurm says of each cluster", { skip }, async (t) => {
  const one = await runMuster(["nodes", "hpc", "-i", troubled()]);
  t.equal(one.code, 0, one.err);
  t.match(one.out, /^cluster +partition +gpus free +cpus free +limit +nodes\nhpc +gpu +1 of 1 +8 of 8 +none +1 idle\n/);
  t.match(one.out, /\n {4}Slurm \d+\.\d+\S*, no job of yours in its queue\n\n1 of 1 cluster usable\n$/);
  const all = await runMuster(["nodes", "--json", "-i", troubled()]);
  t.equal(all.code, 3);
  const { nodes, clusters } = JSON.parse(all.out);
  t.same(nodes, []);
  const usable = clusters.map((look: { cluster: string; usable: boolean }) => [look.cluster, look.usable]);
  t.same(Object.fromEntries(usable), {
    hpc: true,
    late: true,
    wide: true,
    full: true,
    many: true,
    lost: false,
    off: false,
  });
});

t.test("doctor names what Slurm would refuse, with its place in the inventory", { skip }, async (t) => {
  const ran = await runMuster(["doctor", "-i", troubled()]);
  t.equal(ran.code, 3, ran.err);
  const text = ran.out.replace(/\s+/g, " ");
  t.match(text, /hpc: Slurm \S+, \d ok, a pilot would start now on compute1 /);
  t.match(text, /! time: 1 h 00 min is above the limit of the partition, 5 min 00 s next: Set `time` of late in the/);
  t.match(text, /! gres: no node of the partition has gpu:4 next: Set `gres` of wide .*troubled\.yaml:\d+:\d+/);
  t.match(
    text,
    /! memory: no node of the partition has 900.0 GiB.* next: Set `memory` of full .*troubled\.yaml:\d+:\d+/,
  );
  t.match(
    text,
    /! cpus: no node of the partition has 99 CPUs; the largest has 8 next: Set `cpus` of many .*:\d+:\d+\)/,
  );
  t.match(text, /! request: sbatch --test-only: .*Requested node configuration is not available/);
  t.match(text, /! partition: Slurm does not have the partition nosuch next: .*troubled\.yaml:\d+:\d+.*there is gpu, /);
  t.match(text, /off: not usable/);
});

t.test("doctor --submit looks at a compute node, and leaves nothing", { skip }, async (t) => {
  const ran = await runMuster(["doctor", "hpc", "--submit", "-v", "-i", troubled()]);
  t.equal(ran.code, 0, ran.err);
  t.match(
    ran.out.replace(/\s+/g, " "),
    /pilot: job \d+ ran on compute1 with Python 3\.\S+, .* free at \/tmp\/muster-\d+/,
  );
  await checkCluster(t, cluster);
});

t.test("doctor --submit says why a pilot has ended, also where its step was late", { skip }, async (t) => {
  const table: [keys: Record<string, unknown>, why: RegExp][] = [
    [{ setup: ["echo 'no licence' >&2; false"] }, /setup failed there: echo .*; false \(no licence\)/],
    [{ python: "python9" }, /there is no python9 on the compute node/],
    [{ python: "python9" }, /there is no python9 on the compute node/],
    [{ modules: ["gcc/12"] }, /the module gcc\/12 cannot be loaded there \(module: command not found\)/],
  ];
  for (const [keys, why] of table) {
    const broken = writeClusterInventory(cluster, keys, { file: "broken.yaml" });
    const failed = await runMuster(["doctor", "--submit", "-i", broken]);
    t.equal(failed.code, 2, failed.err);
    const text = failed.out.replace(/\s+/g, " ");
    t.match(text, /! pilot: job \d+ ended before it could work: /);
    t.match(text, why);
  }
  await checkCluster(t, cluster);
});

t.test("doctor and nodes name a partition that is down", { skip }, async (t) => {
  const update = (state: string) => slurm.asRoot(["scontrol", "update", "PartitionName=gpu", `State=${state}`]);
  const inventory = writeInventory("down.yaml");
  await update("DOWN");
  try {
    const doctor = await runMuster(["doctor", "-i", inventory]);
    t.equal(doctor.code, 2, doctor.err);
    t.match(doctor.out, /! partition: gpu \(down\): no pilot starts there for now\n.*there is short\./s);
    const nodes = await runMuster(["nodes", "-i", inventory]);
    t.match(nodes.out, /\nhpc +gpu \(down\) .*no pilot starts now: the partition gpu is down\n/s);
  } finally {
    await update("UP");
  }
});

t.test("plan names clusters, what they may do, and what it does not know", { skip }, async (t) => {
  const inventory = writeInventory("plan.yaml", { late: { use: "overflow", overflow_after: "45m" } });
  const tasks = [1, 2, 3].map((id) => ({ id: `t${id}`, command: ["true"] }));
  const job = shop.write("plan/job.yaml", { name: "plan", kind: "tasks", tasks, needs: { nodes: ["hpc", "late"] } });
  const ran = await runMuster(["run", job, "--plan", "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  const text = ran.out.replace(/\s+/g, " ");
  t.match(text, / hpc: up to 2 pilots of 10 min 00 s, 2 chunks at once on each /);
  t.match(text, / late: up to 1 pilot of 1 h 00 min, 1 chunk at once on each, only while the other nodes would need /);
  t.match(text, /when pilots would start is not known here; muster doctor \S+ asks Slurm nothing was run $/);
});

t.test("a run shows pilots that wait, and the logs of one that works", { skip }, async (t) => {
  const inventory = writeInventory("waits.yaml");
  const blocker = await slurm.submit("#!/bin/sh\nsleep 300\n", ["--cpus-per-task=8"]);
  await slurm.waitForJob(blocker, "RUNNING");
  const command = ["sh", "-c", "for i in 1 2 3 4 5 6; do echo line $i; sleep 1; done"];
  const job = shop.write("waits/job.yaml", { name: "waits", kind: "tasks", tasks: [{ id: "a", command }] });
  const run = join(shop.folder, "waits/runs/waits");
  const running = runMuster(["run", job, "-i", inventory]);
  const status = () => runMuster(["status", run]);
  await waitUntil("a pilot waits", async () => /hpc: 1 pilot waits \(\w+\)/.test((await status()).out), 30);
  const why = await runMuster(["why", run, "a"]);
  t.match(why.out, /waiting for a slot\n.*\n {2}no slot may have it now\n {2}hpc: 1 pilot waits \(\w+\)\n/);
  const nodes = await runMuster(["nodes", "hpc", "-i", inventory]);
  t.match(nodes.out, /your jobs in its queue: 1 running, 1 waiting \(/);
  const logs = runMuster(["logs", "-f", run, "a", "--node", "hpc"]);
  await slurm.scancel(blocker);
  const ran = await running;
  t.equal(ran.code, 0, ran.err);
  const followed = await logs;
  t.equal(followed.code, 0, followed.err);
  t.match(followed.out, /line 1\n.*line 6\n/s);
  t.match(followed.err, /runs on hpc\/\d+ slot \d/, "it is read from the compute node");
  await checkCluster(t, cluster);
});

t.test("a pilot that ends is no error to repair", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { cpus: 2, pilots: 1 }, { file: "ends.yaml" });
  const tasks = Array.from({ length: 8 }, (_, index) => ({ id: `t${index}`, command: ["sleep", "3"] }));
  const job = shop.write("ends/job.yaml", { name: "ends", kind: "tasks", tasks });
  const running = runMuster(["run", job, "-i", inventory]);
  const run = join(shop.folder, "ends/runs/ends");
  const works = /hpc\/(\d+): 2 of 2 slots run/;
  let pilot: string | undefined;
  const findPilot = async () => {
    pilot = works.exec((await runMuster(["status", run])).out)?.[1];
    return pilot !== undefined;
  };
  await waitUntil("a pilot works", findPilot, 60);
  await slurm.scancel(pilot!);
  const ran = await running;
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, /hpc\/\d+: ended: its allocation is over: cancelled\n/);
  t.notMatch(ran.err, /run the same command again|check the login shell/);
  t.match(ran.out, /\n {2}hpc\/\d+: \d chunks? \(ended: its allocation is over: cancelled\)\n/);
  await checkCluster(t, cluster);
});
