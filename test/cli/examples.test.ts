import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

t.test("the sieve finds the seed, and is complete when it is run again", async (t) => {
  shop.example("sieve");
  const ran = await runMuster(["run", "sieve/job.yaml", "-i", "local"], { cwd: shop.folder });
  t.equal(ran.code, 0, ran.err);
  t.same(shop.json("sieve/runs/sieve/hits.json"), [{ seed: 271828, next: [930, 100, 398] }]);
  const results = shop.results("sieve/runs/sieve");
  let at = 0;
  for (const { chunk } of results) {
    const [start, end] = (chunk as string).split("-").map(Number);
    t.equal(start, at);
    at = end!;
  }
  t.equal(at, 500_000, "every seed was covered, once, and the lines are in order");
  const again = await runMuster(["run", "sieve/job.yaml", "-i", "local"], { cwd: shop.folder });
  t.equal(again.code, 0);
  t.match(again.out, /already complete/);
  shop.write("sieve/observations.json", { generator: "java", draws: [1] });
  const changed = await runMuster(["run", "sieve/job.yaml", "-i", "local"], { cwd: shop.folder });
  t.equal(changed.code, 65);
  t.match(changed.err, /observations\.json: its content has changed/);
});

t.test("java.util.Random: the sieve's other generator agrees with the documented sequence of seed 42", async (t) => {
  shop.example("sieve");
  // new Random(42), asked six times for nextInt(1000), as the JDK returns: 130, 763, 248, 884, 970, 525.
  shop.write("sieve/observations.json", { generator: "java", draws: [130, 763, 248] });
  const words = ["run", "sieve/job.yaml", "-i", "local", "--range", "0:20000", "--out", "java-run", "--json"];
  const ran = await runMuster(words, { cwd: shop.folder });
  t.equal(ran.code, 0, ran.err);
  t.equal(JSON.parse(ran.out).state, "complete");
  t.match(shop.json("java-run/hits.json"), [{ seed: 42, next: [884, 970, 525] }]);
});

t.test("tasks: each output keeps its relative path", async (t) => {
  shop.example("tasks");
  const ran = await runMuster(["run", "tasks/job.yaml", "-i", "local", "-q"], { cwd: shop.folder });
  t.equal(ran.code, 0, ran.err);
  t.equal(ran.out + ran.err, "", "quiet on success");
  const path = "tasks/runs/constants/results/constants";
  t.equal(shop.read(`${path}/pi-50.txt`), "3.14159265358979323846264338327950288419716939937510\n");
  t.match(shop.read(`${path}/e-1000.txt`), /^2\.71828182845904523536/);
  t.match(shop.read(`${path}/pi-2000.txt`).length, 2003);
  t.same(
    shop.results("tasks/runs/constants").map((line) => line.chunk),
    ["pi-short", "pi-long", "e"],
  );
});

t.test("matrix: every combination runs once, and each result is one line and no file", async (t) => {
  shop.example("matrix");
  const ran = await runMuster(["run", "matrix/job.yaml", "-i", "local"], { cwd: shop.folder });
  t.equal(ran.code, 0, ran.err);
  const lines = shop.results("matrix/runs/uniformity");
  t.equal(lines.length, 24);
  t.match(lines[0], { chunk: "model=randu,trial=0", output: { model: "randu", trial: 0 } });
  const all = shop.json<{ model: string }[]>("matrix/runs/uniformity/chi2.json");
  t.equal(all.filter((one) => one.model === "mt19937").length, 8);
});

t.test("an existing jobs file runs unchanged", async (t) => {
  shop.example("jobs-file");
  const ran = await runMuster(["run", "jobs-file/scoring_jobs.json", "-i", "local"], { cwd: shop.folder });
  t.equal(ran.code, 0, ran.err);
  const scores = shop.json<Record<string, number>>("jobs-file/runs/scoring_jobs/results/results/chunk_0001.json");
  t.equal(scores["271828"], 1, "the survivor predicts all that was held out");
});

t.test("analysis: each step makes the next one's jobs, and finds its results where they belong", async (t) => {
  const folder = shop.example("analysis");
  const words = ["run", "analysis/pipeline.yaml", "-i", "local"];
  const ran = await runMuster(words, { cwd: shop.folder });
  t.equal(ran.code, 0, ran.err);
  t.same(shop.json("analysis/runs/analysis/predict/results/prediction.json"), {
    model: "generator",
    seed: 31415,
    next: [51, 22, 60],
  });
  // The sieve in one process.
  const script =
    "import sys; sys.argv[1:] = '--seed-start 0 --seed-end 39999'.split(); exec(open('sieve_filter.py').read())";
  const alone = spawnSync("python3", ["-c", script], { cwd: folder, encoding: "utf8" });
  t.same(shop.json("analysis/survivors.json"), JSON.parse(alone.stdout), "every survivor, in order");
  const chunks = readdirSync(join(folder, "scoring_chunks")).sort();
  t.ok(chunks.length > 2, "the survivors were cut into chunks");
  t.same(readdirSync(join(folder, "scoring_results")).sort(), chunks);
  t.same(readdirSync(join(folder, "anti_overfit_results")).sort(), [
    "generator.json",
    "last.json",
    "linear.json",
    "mean.json",
  ]);
  t.match((await runMuster(words, { cwd: shop.folder })).out, /already complete, 9 steps/);
  const fresh = await runMuster([...words, "--fresh"], { cwd: shop.folder });
  t.equal(fresh.code, 3, "a new run does not replace the results of another");
  t.match(fresh.err, /sieve: failed.*\n.*survivors\.json/);
  const replaced = await runMuster([...words, "--fresh", "--overwrite"], { cwd: shop.folder });
  t.equal(replaced.code, 0, replaced.err);
});
