import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { stringify } from "yaml";
import { checkResults, readJournal } from "../faults/checks.js";
import { KnownJob } from "../faults/knownjob.js";
import { projectRoot } from "../lab/project.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkCluster, shareSlurm, writeClusterInventory } from "./slurmlab.js";
import { runMuster } from "./startmuster.js";

const cluster = await shareSlurm(t, 2);
const { skip, shop, slurm } = cluster;

const JOB = {
  name: "echo",
  kind: "matrix",
  matrix: { n: [0, 12] },
  command: ["sh", "-c", "echo {n} > r.txt"],
  outputs: ["r.txt"],
};

t.test("the sieve runs on pilots, which leave nothing behind", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { cpus: 4, pilots: 2 });
  const folder = shop.example("sieve");
  const ran = await runMuster(["run", join(folder, "job.yaml"), "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, /hpc: pilots \d+, \d+ submitted\n/);
  t.match(ran.err, /hpc\/\d+: 4 slots\n/);
  t.same(JSON.parse(readFileSync(join(folder, "runs/sieve/hits.json"), "utf8")), [
    { seed: 271828, next: [930, 100, 398] },
  ]);
  const nodes = new Set(shop.results("sieve/runs/sieve").map(({ node }) => node));
  for (const node of nodes) t.match(node, /^hpc\/\d+$/);
  await checkCluster(t, cluster);
  const pilots = readJournal(join(folder, "runs/sieve")).filter(({ e }) => e === "pilot");
  t.same(
    pilots.slice(0, 2).map((one) => "state" in one && one.state),
    ["submitting", "submitting"],
    "both are journaled before the first is submitted",
  );
});

t.test("no more pilots are submitted than there is work for", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { cpus: 4, pilots: 8 });
  const job = new KnownJob(shop, "small", { chunks: 5, seconds: 0.2 });
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  const submitted = readJournal(job.run).filter((one) => one.e === "pilot" && one.state === "submitting");
  t.equal(submitted.length, 2, "five chunks need two pilots with four slots each");
  await checkCluster(t, cluster);
});

t.test("warm workers take chunk after chunk on a pilot", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { cpus: 2, pilots: 1 });
  const job = new KnownJob(shop, "warm", { chunks: 40, warm: true });
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  await checkCluster(t, cluster);
});

t.test(
  "modules and setup run before the agent, and what they export is the environment of chunks",
  { skip },
  async (t) => {
    const setup = ["export GREETING='from setup'", "mkdir -p /tmp/setup && touch /tmp/setup/$SLURM_JOB_ID"];
    const inventory = writeClusterInventory(cluster, { setup });
    const job = shop.write("env/job.yaml", {
      name: "env",
      kind: "tasks",
      tasks: [{ id: "a", command: ["sh", "-c", 'echo "$GREETING $SLURM_JOB_PARTITION"'] }],
      outputs: ["stdout"],
    });
    const ran = await runMuster(["run", job, "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    t.equal(shop.read("env/runs/env/results/a/stdout"), "from setup gpu\n");
    await checkCluster(t, cluster);
  },
);

t.test("rigs and a cluster work on one run", { skip }, async (t) => {
  const { host, port, user, identityFile } = slurm.login;
  const rig = { host, port, user, identity_file: identityFile, known_hosts: cluster.lab.knownHosts, slots: 2 };
  const inventory = writeClusterInventory(cluster, { cpus: 2 }, { nodes: { rig } });
  const job = new KnownJob(shop, "mixed", { chunks: 60, gate: true });
  const { ended } = job.start(["-i", inventory]);
  const places = [[slurm.login], slurm.compute];
  await waitUntil("both are at work", () => places.every((nodes) => job.listRunning(nodes).length > 0));
  job.openGate(places.flat());
  const ran = await ended;
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  const nodes = new Set(shop.results("mixed/runs/mixed").map(({ node }) => `${node}`.replace(/\d+$/, "N")));
  t.same([...nodes].sort(), ["hpc/N", "rig"]);
  await checkCluster(t, cluster);
});

t.test("a cluster for overflow is used where there are no rigs", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { use: "overflow" });
  const job = new KnownJob(shop, "alone", { chunks: 3 });
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  await checkCluster(t, cluster);
});

t.test("a cluster for overflow is left alone while the rigs are quick enough", { skip }, async (t) => {
  const { host, port, user, identityFile } = slurm.login;
  const rig = { host, port, user, identity_file: identityFile, known_hosts: cluster.lab.knownHosts, slots: 2 };
  const keys = { use: "overflow", overflow_after: "10m" };
  const inventory = writeClusterInventory(cluster, keys, { nodes: { rig } });
  const job = new KnownJob(shop, "overflow", { chunks: 12, seconds: 0.1 });
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.same(
    readJournal(job.run).filter(({ e }) => e === "pilot"),
    [],
  );
  await checkCluster(t, cluster);
});

t.test("muster runs on the login node itself", { skip }, async (t) => {
  const { root } = slurm.login;
  for (const path of ["package.json", "dist/bundle", "dist/templates/agent.z", "schemas", "templates"])
    cpSync(join(projectRoot(), path), join(root, "opt/muster", path), { recursive: true });
  const inventory = {
    engine: "slurm",
    connection: "local",
    cpus: 4,
    time: "10m",
    pilots: 2,
    python: "/usr/bin/python3",
  };
  writeFileSync(join(root, "home/rig/inventory.yaml"), stringify({ nodes: { hpc: inventory } }));
  writeFileSync(join(root, "home/rig/job.yaml"), stringify(JOB));
  const main = "/opt/muster/dist/bundle/cli/main.js";
  const ran = await slurm.run([process.execPath, main, "run", "job.yaml", "--json"]);
  t.equal(ran.code, 0, ran.stderr);
  t.match(JSON.parse(ran.stdout), { state: "complete", chunks: { done: 12 } });
  rmSync(join(root, "home/rig/runs"), { recursive: true });
  await checkCluster(t, cluster);
});
