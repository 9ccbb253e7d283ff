import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

const run = (file: string) => runMuster(["run", file, "-i", "local", "--json"]);

t.test("a made job publishes its results in the project, where the next step's job reads them", async (t) => {
  shop.write(
    "chain/score.py",
    "import sys\nopen(f'made-{len(sys.argv)}.txt', 'w').write('x')\nprint(int(open(sys.argv[1]).read()) + 1 if len(sys.argv) > 1 else 1)\n",
  );
  shop.write("chain/.project-root", "");
  const make = (to: string, from?: string) => {
    const task = {
      id: to,
      script: "score.py",
      args: from === undefined ? [] : [from],
      inputs: from === undefined ? [] : [from],
    };
    return JSON.stringify({ kind: "tasks", outputs: ["stdout", "*.txt"], results: "data", tasks: [task] });
  };
  shop.write("chain/first.txt", make("one"));
  shop.write("chain/second.txt", make("two", "data/one/stdout"));
  const prepare = (name: string) => ({ command: ["cp", `${name}.txt`, "{out}/jobs.json"], outputs: ["jobs.json"] });
  const file = shop.write("chain/p.yaml", {
    steps: {
      first: prepare("first"),
      one: { job: "first/jobs.json" },
      second: { ...prepare("second"), needs: ["one"] },
      two: { job: "second/jobs.json" },
      end: {
        command: ["sh", "-c", "cat {in}/one {in}/two {in}/made > {out}/all"],
        inputs: { one: "one/one/stdout", two: "two/two/stdout", made: "two/made-2.txt" },
        outputs: ["all"],
      },
      all: { command: ["true"], inputs: { all: "two" } },
    },
  });
  const first = await runMuster(["run", file, "-i", "local"]);
  t.equal(first.code, 3, first.err);
  t.match(first.out, /all: +failed, \S+ s: step two has no output "" in \S+\/chain\/data\n +Name one of the files/);
  t.match(first.out, /5 of 6 steps done/);
  t.equal(shop.read("chain/data/two/stdout"), "2\n");
  t.equal(shop.read("chain/runs/p/end/results/all"), "1\n2\nx");
});

t.test("the analysis as its owner has it runs from the sieve to the prediction, and is resumed", async (t) => {
  shop.example("analysis");
  const file = join(shop.folder, "analysis/pipeline.yaml");
  for (const point of ["step-begun:3", "step-ended:3"]) {
    const killed = await runMuster(["run", file, "-i", "local"], { env: { MUSTER_KILL_AT: point } });
    t.equal(killed.code, null, `${point}: it was killed`);
  }
  const last = await run(file);
  t.equal(last.code, 0, last.err + last.out);
  t.ok(existsSync(join(shop.folder, "analysis/runs/analysis/predict/results/prediction.json")));
  t.ok(existsSync(join(shop.folder, "analysis/optimal_parameters.json")));
  const again = await run(file);
  t.match(JSON.parse(again.out), { already: true, state: "complete" });
});

t.test("`when: changed` reuses a published result only while it is as it was", async (t) => {
  shop.write("reuse/.project-root", "");
  shop.write(
    "reuse/job.yaml",
    "kind: tasks\nresults: {folder: out, overwrite: true}\ncommand: [sh, -c, 'echo 1 > r.txt']\noutputs: [r.txt]\ntasks: [{id: a}]\n",
  );
  const file = shop.write("reuse/p.yaml", { kind: "pipeline", steps: { make: { job: "job.yaml", when: "changed" } } });
  const stateOf = async () => {
    const ran = await runMuster(["run", file, "-i", "local", "--json", "--fresh"]);
    t.equal(ran.code, 0, ran.err);
    return (JSON.parse(ran.out) as { steps: { state: string }[] }).steps[0]!.state;
  };
  t.equal(await stateOf(), "complete");
  t.equal(await stateOf(), "unchanged");
  shop.write("reuse/out/r.txt", "of somebody else\n");
  t.equal(await stateOf(), "complete", "it was changed, so it is computed again");
  t.equal(shop.read("reuse/out/r.txt"), "1\n");
  rmSync(join(shop.folder, "reuse/out/r.txt"));
  t.equal(await stateOf(), "complete", "it was gone");
  t.equal(shop.read("reuse/out/r.txt"), "1\n");
});
