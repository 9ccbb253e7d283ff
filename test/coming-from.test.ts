import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { runMuster, TestFolder } from "./cli/startmuster.js";
import { projectRoot } from "./lab/project.js";

/** What runs have learned, as the file beside the inventory keeps it. */
interface Kept {
  kinds: Record<string, { slots: Record<string, { rate: number }> }>;
}

/** Every row of the first table of docs/from-python-coordinators.md is run here, on this machine alone. */
const ROWS: Record<string, (t: Test) => Promise<void>> = {
  "coordinator.py --seed-start A --seed-end B": async (t) => {
    const ran = await run("sieve/job.yaml", "--range", "271000:272000", "--out", "a");
    t.equal(ran.code, 0, ran.err);
    t.match(shop.json("a/hits.json"), [{ seed: 271828 }]);
  },
  "coordinator.py --jobs-file F": async (t) => {
    const ran = await run("jobs-file/scoring_jobs.json", "--out", "b");
    t.equal(ran.code, 0, ran.err);
    t.equal(shop.json<Record<string, number>>("b/results/results/chunk_0001.json")["271828"], 1);
  },
  "coordinator.py --config C": async (t) => {
    const ran = await runMuster(["run", "sieve/job.yaml", "--range", "0:1000", "-i", inventory, "--out", "c"], at);
    t.equal(ran.code, 0, ran.err);
    t.equal(shop.results("c")[0]?.node, "here");
  },
  "coordinator.py --resume": async (t) => {
    const again = await run("sieve/job.yaml", "--range", "271000:272000", "--out", "a");
    t.equal(again.code, 0);
    t.match(again.out, /already complete/);
  },
  "coordinator.py --output-dir D": async (t) => {
    t.equal(shop.json<{ state: string }>("a/summary.json").state, "complete");
  },
  "scripts_coordinator.py --jobs-file F": async (t) => {
    t.same(
      shop.results("b").map((line) => line.chunk),
      ["scoring_chunk_0001", "scoring_chunk_0002"],
    );
  },
  "scripts_coordinator.py --output-dir D": async (t) => {
    t.equal(shop.json<{ state: string }>("b/summary.json").state, "complete");
  },
  "scripts_coordinator.py --preserve-paths": async (t) => {
    const cwd = join(shop.folder, "jobs-file");
    const ran = await runMuster(["run", "scoring_jobs.json", "--out", "../p", "--results", "."], { ...at, cwd });
    t.equal(ran.code, 0, ran.err);
    t.ok(shop.read("jobs-file/results/chunk_0002.json"));
  },
  "scripts_coordinator.py --resume": async (t) => {
    const again = await run("jobs-file/scoring_jobs.json", "--out", "b");
    t.match(again.out, /already complete/);
  },
  "distributed_worker.py --job-file F --gpu-id N": async (t) => {
    shop.write("pin/w.py", "import os, sys\nopen(sys.argv[2], 'w').write(os.environ['HIP_VISIBLE_DEVICES'])\n");
    const jobs = [3, 1].map((gpu_id) => ({
      job_id: `g${gpu_id}`,
      script: "w.py",
      args: ["--output", `g${gpu_id}`],
      gpu_id,
    }));
    const file = shop.write("pin/jobs.json", { jobs });
    const ran = await runMuster(["run", file, "-i", inventory, "--out", "pin-run"], at);
    t.equal(ran.code, 0, ran.err);
    t.equal(shop.read("pin-run/results/g3") + shop.read("pin-run/results/g1"), "31");
    t.same(
      shop.results("pin-run").map((line) => line.slot),
      [3, 1],
    );
  },
  "distributed_worker.py --mining-mode": async (t) => {
    shop.write("env/w.py", "import os\nopen('e', 'w').write(os.environ['HSA_OVERRIDE_GFX_VERSION'])\n");
    const file = shop.write(
      "env/job.yaml",
      "name: env\nkind: tasks\ntasks: [{id: a, script: w.py, args: [], outputs: [e]}]\n",
    );
    t.equal((await runMuster(["run", file, "-i", inventory, "--out", "env-run"], at)).code, 0);
    t.equal(shop.read("env-run/results/e"), "10.3.0");
  },
  "job types": async (t) => {
    const echo = "import json, sys\njson.dump(sys.argv[1:], open(sys.argv[sys.argv.index('--output') + 1], 'w'))\n";
    for (const name of ["sieve_filter", "reverse_sieve_filter", "correlation", "analysis"])
      shop.write(`${name}.py`, `import os\nos.makedirs('results', exist_ok=True)\n${echo}`);
    shop.write("types/own.py", echo);
    const range = { seed_start: 0, seed_end: 4294967296 };
    const file = shop.write("types/jobs.json", {
      jobs: [
        { job_id: "s", job_type: "sieve", ...range },
        { job_id: "r", job_type: "reverse_sieve", ...range },
        { job_id: "c", job_type: "correlation" },
        { job_id: "a", job_type: "analysis" },
        { job_id: "n" },
        { job_id: "o", job_type: "script", script: "own.py", args: ["--output", "results/o.json"] },
      ],
    });
    const ran = await runMuster(["run", file, "-i", inventory, "--out", "types-run"], at);
    t.equal(ran.code, 0, ran.err);
    t.same(shop.json("types-run/results/results/s.json"), [
      "--seed-start",
      "0",
      "--seed-end",
      "4294967296",
      "--output",
      "results/s.json",
    ]);
    for (const id of ["r", "c", "a", "n", "o"])
      t.ok(shop.json<string[]>(`types-run/results/results/${id}.json`).includes(`results/${id}.json`));
  },
  "gpu_optimizer.py": async (t) => {
    const planned = async () => {
      const { out } = await runMuster(["run", "sieve/job.yaml", "-i", inventory, "--plan", "--json"], at);
      return JSON.parse(out).nodes[0] as { slots: number; rate: number };
    };
    rmSync(join(shop.folder, ".muster-rates.json"), { force: true });
    t.match(await planned(), { node: "here", slots: 4, rate: 20000 }, "of the profile");
    t.equal(
      (await runMuster(["run", "sieve/job.yaml", "--range", "0:60000", "-i", inventory, "--out", "rates-run"], at))
        .code,
      0,
    );
    const [kind] = Object.values(shop.json<Kept>(".muster-rates.json").kinds);
    const rates = Object.values(kind!.slots).map((slot) => slot.rate);
    const { rate } = await planned();
    t.equal(Math.round(rate), Math.round(rates.reduce((sum, one) => sum + one, 0)), "learned");
    t.not(rate, 20000);
  },
  max_concurrent_script_jobs: async (t) => {
    const w =
      "import os, time, sys\nbegan = time.time()\ntime.sleep(0.2)\nopen('t', 'w').write('[%r, %r]' % (began, time.time()))\n";
    shop.write("max/w.py", w);
    const file = shop.write(
      "max/job.yaml",
      "name: max\nkind: matrix\nmatrix: {n: [0, 6]}\nscript: w.py\nargs: []\noutputs: [t]\n",
    );
    const one = shop.write(
      "one.yaml",
      "nodes: {here: {connection: local, profile: rx6600, gpus: 4, max_concurrent: 1}}\nprofiles: {rx6600: {vendor: amd}}\n",
    );
    t.equal((await runMuster(["run", file, "-i", one, "--out", "max-run"], at)).code, 0);
    const spans = shop
      .results("max-run")
      .map((line) => line.output as [number, number])
      .sort((a, b) => a[0] - b[0]);
    for (const [index, [began]] of spans.slice(1).entries()) if (began < spans[index]![1]) t.fail("two ran at once");
    t.equal(spans.length, 6);
  },
};

const shop = new TestFolder();
const at = { cwd: shop.folder };
const run = (...words: string[]) => runMuster(["run", ...words, "-i", "local"], at);
for (const name of ["sieve", "jobs-file"]) shop.example(name);
const real = readFileSync(join(projectRoot(), "inventory.yaml"), "utf8");
const routes = real.slice(real.indexOf("\nroutes:"));
const inventory = shop.write(
  "cluster.yaml",
  `profiles: {rx6600: {vendor: amd, rate: 5000, env: {HSA_OVERRIDE_GFX_VERSION: "10.3.0"}}}\nnodes: {here: {connection: local, profile: rx6600, gpus: 4}}\n${routes}`,
);
t.teardown(() => shop.remove());

const page = readFileSync(join(projectRoot(), "docs/from-python-coordinators.md"), "utf8");
const table = page.slice(page.indexOf("| today |")).split("\n\n")[0]!;
const rows = table.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| today"));

t.test("every row of the table is tested, and every test has a row", async (t) => {
  for (const row of rows)
    if (!Object.keys(ROWS).some((key) => row.replaceAll("`", "").startsWith(`| ${key}`))) t.fail(`not run: ${row}`);
  t.equal(rows.length, Object.keys(ROWS).length);
});

for (const [row, test] of Object.entries(ROWS)) t.test(row, test);
