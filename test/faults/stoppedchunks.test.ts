import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { AskingJob, type Heard } from "./asking.js";
import { checkNodes, readJournal } from "./checks.js";

const { skip, shop, lab } = await shareLab(t, { nodes: 2, gpus: 1 }, "stopping chunks");

t.setTimeout(600_000);

const matrix = (steps: number) => ({ kind: "matrix", matrix: { n: [0, 4] }, args: ["{n}", `${steps}`, "0.1"] });

const results = (life: Heard[]) => life.filter((one) => "output" in one);

t.test("chunks are stopped by what they report: their partial outputs and values are kept", { skip }, async (t) => {
  const decide = `
if told.get("step", 0) >= 15 and told["id"] in ("n=1", "n=3") and told["id"] not in state:
    state[told["id"]] = True
    return [{"stop": told["id"]}, {"stop": "n=7"}]
return []`;
  const job = new AskingJob(shop, "stopped", lab.inventory(), decide, matrix(80));
  const ran = await job.start().ended;
  t.equal(ran.code, 0, ran.err);
  t.match(JSON.parse(ran.out), { state: "complete", chunks: { done: 2, failed: 0, stopped: 2 } });
  const lines = job.results();
  t.same(
    lines.map(({ chunk, stopped }) => [chunk, stopped === true]),
    [
      ["n=0", false],
      ["n=1", true],
      ["n=2", false],
      ["n=3", true],
    ],
  );
  for (const { chunk, stopped, values } of lines) {
    t.same(
      values,
      values?.map((_, step) => [step, Number(chunk.slice(2)) + step / 1000]),
      "each value once, in order",
    );
    t.ok(stopped ? values!.length >= 16 && values!.length < 80 : values!.length === 80, `${values?.length} values`);
    const last = JSON.parse(readFileSync(join(job.run, "results", chunk, "partial.json"), "utf8"));
    t.ok(last.step >= values!.length - 2, "the partial output is kept");
    t.equal(existsSync(join(job.run, "results", chunk, "whole.json")), !stopped);
  }
  const [life, ...more] = job.lives();
  t.same(more, [], "it had one life");
  t.same(
    results(life!)
      .map(({ id }) => id)
      .sort(),
    ["n=0", "n=1", "n=2", "n=3"],
    "each result was told once",
  );
  t.match(
    results(life!).find(({ id }) => id === "n=1"),
    { stopped: true, params: { n: 1 }, output: { n: 1 } },
  );
  t.match(
    life!.filter((one) => one.refused !== undefined),
    [{ refused: "n=7", reason: /no such chunk/ }, { refused: "n=7" }],
  );
  for (const id of ["n=0", "n=1"]) {
    const told = life!.filter((one) => one.id === id && one.step !== undefined).map(({ step }) => step);
    t.same(
      told,
      told.map((_, index) => index),
      "values were told in order, each once",
    );
  }
  t.match(readFileSync(join(job.run, "ask.log"), "utf8"), /asking/);

  const again = await job.start().ended;
  t.equal(again.code, 0);
  t.match(again.err + again.out, /complete/);
  const texts = await Promise.all(["status", "report"].map((word) => runMuster([word, job.run])));
  for (const { out } of texts) t.match(out, /2 chunks done, 2 stopped/);
  t.match((await runMuster(["why", job.run, "n=1"])).out, /chunk n=1 of stopped: stopped on request/);
  await checkNodes(t, lab.nodes);
});

t.test(
  "a stopped chunk is not computed again when the coordinator is killed after the request",
  { skip },
  async (t) => {
    const decide = `
if told.get("step") == 3 and told["id"] == "n=0":
    return [{"stop": "n=0"}, {"stop": "n=2"}]
return []`;
    // n=0 still runs when the second coordinator is attached to its node.
    const job = new AskingJob(shop, "killed-stop", lab.inventory(), decide, matrix(80));
    const first = job.start();
    await waitUntil(
      "the stops are journaled",
      () => readJournal(job.run).filter(({ e }) => e === "stopping").length === 2,
    );
    first.child.kill("SIGKILL");
    await first.ended;
    const ran = await job.start().ended;
    t.equal(ran.code, 0, ran.err);
    t.match(JSON.parse(ran.out), { state: "complete", chunks: { done: 2, failed: 0, stopped: 2 } });
    t.match(job.results(), [
      { chunk: "n=0", stopped: true },
      { chunk: "n=1" },
      { chunk: "n=2", stopped: true },
      { chunk: "n=3" },
    ]);
    for (const life of job.lives()) {
      const ids = results(life).map(({ id }) => id);
      t.equal(new Set(ids).size, ids.length, "nothing was told twice in one life");
    }
    t.same(
      results(job.lives().at(-1)!)
        .map(({ id }) => id)
        .sort(),
      ["n=0", "n=1", "n=2", "n=3"],
    );
    await checkNodes(t, lab.nodes);
  },
);

t.test("a program that prints something else ends the run, and the line is named", { skip }, async (t) => {
  const job = new AskingJob(shop, "prints", lab.inventory(), `return ["hello"] if "output" in told else []`, matrix(5));
  const ran = await job.start().ended;
  t.equal(ran.code, 3, ran.err);
  t.match(JSON.parse(ran.out), {
    state: "halted",
    halt: { reason: /line 1 of what the program prints is no JSON object: .*hello.*ask\.log/ },
  });
  await checkNodes(t, lab.nodes);
});

t.test(
  "a program that dies is started again and told everything; one that dies at once ends the run",
  { skip },
  async (t) => {
    const decide = `
import os
if "output" in told and not os.path.exists("died"):
    open("died", "w").close()
    os._exit(7)
return []`;
    const job = new AskingJob(shop, "dies", lab.inventory(), decide, matrix(20));
    const ran = await job.start({}, []).ended;
    t.equal(ran.code, 0, ran.err);
    t.match(
      ran.err,
      /ask: python3 ask.py has ended: exit code 7: asking; its log is .*ask\.log\. It starts again in 1 s/,
    );
    t.equal(job.lives().length, 2);
    t.same(
      results(job.lives()[1]!)
        .map(({ id }) => id)
        .sort(),
      ["n=0", "n=1", "n=2", "n=3"],
    );

    const hopeless = new AskingJob(shop, "hopeless", lab.inventory(), "return []", { ...matrix(400), ask: ["false"] });
    const halted = await hopeless.start().ended;
    t.equal(halted.code, 3, halted.err);
    t.match(JSON.parse(halted.out), { state: "halted", halt: { reason: /died 5 times without/ } });
    await checkNodes(t, lab.nodes);
  },
);
