import { readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { readJournal } from "../faults/checks.js";
import { watchMuster } from "../faults/knownjob.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkCluster, shareSlurm, writeClusterInventory } from "./slurmlab.js";
import { type MusterResult, runMuster, startMuster, waitForExit } from "./startmuster.js";

t.setTimeout(600_000);
const cluster = await shareSlurm(t, 1);
const { skip, shop } = cluster;

/** Writes a job in a folder of its own; returns its file and its run directory. */
function writeJob(name: string, keys: object): { file: string; run: string } {
  const file = shop.write(`${name}/job.yaml`, { name, ...keys });
  return { file, run: join(shop.folder, name, "runs", name) };
}

/** Runs muster with a text on stdin. */
function pipe(words: string[], text: string): Promise<MusterResult> {
  const child = startMuster(words);
  child.stdin!.end(text);
  return waitForExit(child);
}

t.test("the log of a build that fails on a pilot is kept", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, {});
  const build = { command: ["sh", "-c", "echo no such compiler >&2; exit 3"], outputs: ["tool"] };
  const { file, run } = writeJob("broken", {
    kind: "tasks",
    project: ".",
    build,
    tasks: [{ id: "a", command: ["true"] }],
  });
  const running = watchMuster(startMuster(["run", file, "-i", inventory]));
  const said = /The whole log: \S+\/logs\/build-hpc%2F\d+\.log/;
  await waitUntil("it names the log", () => said.test(running.stderr()), 60);
  running.child.kill("SIGTERM");
  await running.ended;
  const [log] = readdirSync(join(run, "logs")).filter((name) => name.startsWith("build-"));
  t.match(shop.read(`broken/runs/broken/logs/${log}`), /no such compiler/);
  t.equal((await runMuster(["cancel", run])).code, 0);
  await checkCluster(t, cluster);
});

t.test("the only chunk of a run: why, its logs, and a summary without a plan", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { cpus: 2 });
  const { file, run } = writeJob("single", {
    kind: "tasks",
    tasks: [{ id: "a", command: ["sh", "-c", "sleep 8"] }],
  });
  const running = runMuster(["run", file, "-i", inventory]);
  const why = () => runMuster(["why", run, "a"]);
  await waitUntil("it runs", async () => /: running\n/.test((await why()).out), 60);
  const answers = [await why(), await why()];
  for (const { out } of answers) {
    t.match(out, /attempt 1: running .* on hpc\/\d+ slot 0/);
    t.notMatch(out, "its node ends");
  }
  const logs = await runMuster(["logs", run, "a"]);
  t.equal(logs.code, 0, logs.err);
  t.match(logs.err, /: chunk a runs on hpc\/\d+ slot 0, and its output is collected when it ends\n.*-f shows/);
  const ran = await running;
  t.equal(ran.code, 0, ran.err);
  t.notMatch(ran.out, "planned", "no plan knows when pilots start");
  await checkCluster(t, cluster);
});

t.test("a chunk that is longer than `time` fails, and it is said what to do", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, { time: "1m" });
  const { file, run } = writeJob("endless", { kind: "tasks", tasks: [{ id: "a", command: ["sleep", "500"] }] });
  const ran = await runMuster(["run", file, "-i", inventory]);
  t.equal(ran.code, 3, ran.err);
  const advice =
    /it ran for \d+ s without ending .*; raise `time` of hpc \(\S+inventory\.yaml:\d+:\d+\), or have .*`state: true`/;
  t.match(`${ran.out}${ran.err}`.replace(/\s+/g, " "), advice);
  const pilots = readJournal(run).filter((one) => one.e === "pilot" && one.state === "running");
  t.ok(
    pilots.length <= 5,
    `it was tried on ${pilots.length} pilots, of which Slurm may end some after a quarter of a minute`,
  );
  await checkCluster(t, cluster);
});

t.test("a detached run of an empty queue returns, and works when it gets tasks", { skip }, async (t) => {
  const inventory = writeClusterInventory(cluster, {});
  const { file, run } = writeJob("study", { kind: "queue", command: ["echo", "{x}"], params: { x: 0 } });
  const started = await runMuster(["run", "--detach", file, "-i", inventory]);
  t.equal(started.code, 0, started.err);
  t.match(started.err, /the queue is empty: pilots are submitted once it has tasks\n/);
  const added = await pipe(["add", run, "-", "--close"], '{"id": "a", "params": {"x": 1}}\n');
  t.equal(added.code, 0, added.err);
  const attached = await runMuster(["attach", run]);
  t.equal(attached.code, 0, attached.err);
  t.equal((await runMuster(["logs", run, "a"])).out, "1\n");
  await checkCluster(t, cluster);
});
