import { spawnSync } from "node:child_process";
import t, { type Test } from "tap";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
t.setTimeout(600_000);

/** Runs a job of an example on this machine, and returns the lines of its results. */
async function runExample(t: Test, job: string, run: string, env: Record<string, string> = {}): Promise<Line[]> {
  const ran = await runMuster(["run", job, "-i", "local", "-q"], { cwd: shop.folder, env });
  t.equal(ran.code, 0, ran.err);
  return shop.results(run) as unknown as Line[];
}

interface Line {
  chunk: string;
  stopped?: boolean;
  output: { loss: number } | null;
}

const bestLoss = (lines: Line[]) => Math.min(...lines.flatMap(({ output }) => (output === null ? [] : [output.loss])));

t.test("a grid: every combination is computed once", async (t) => {
  shop.example("ask");
  const lines = await runExample(t, "ask/grid.yaml", "ask/runs/grid");
  t.equal(new Set(lines.map(({ chunk }) => chunk)).size, 15);
  t.equal(lines.length, 15);
  t.equal(lines.find(({ chunk }) => chunk === "x=1,y=1")?.output?.loss, 0);
});

t.test("random search and an evolution strategy: the second comes closer to the minimum", async (t) => {
  shop.example("ask");
  const random = await runExample(t, "ask/random_search.yaml", "ask/runs/random_search");
  t.equal(random.length, 40);
  const evolved = await runExample(t, "ask/evolution.yaml", "ask/runs/evolution");
  t.equal(evolved.length, 200);
  t.ok(bestLoss(evolved) < 0.1, `${bestLoss(evolved)} is near the minimum`);
  t.ok(bestLoss(evolved) < bestLoss(random));
});

// Debian's module belongs to Debian's interpreter.
const hasOptuna = spawnSync("/usr/bin/python3", ["-c", "import optuna"]).status === 0;
const skip = hasOptuna ? false : "Optuna is not installed here (Debian: python3-optuna)";

t.test("an Optuna study finds good parameters, and prunes trials", { skip }, async (t) => {
  shop.example("optuna");
  const lines = await runExample(t, "optuna/job.yaml", "optuna/runs/optuna", { PATH: `/usr/bin:${process.env.PATH}` });
  t.equal(lines.length, 30);
  const pruned = lines.filter(({ stopped }) => stopped === true).length;
  t.ok(pruned > 0, `${pruned} trials were pruned`);
  t.ok(bestLoss(lines) < 1);
  t.match(shop.read("optuna/runs/optuna/ask.log"), /^best: /m);
});
