import { rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { loadPipeline } from "../../../executor/pipeline/loadpipeline.js";
import { InvalidFileError } from "../../../schemas/errors.js";
import { createPipelineFolder } from "./pipelinefolder.js";

const shop = createPipelineFolder();
t.teardown(() => shop.remove());
shop.write("lines.txt", " a\n\r\nb c\r\n");
shop.write("both/jobs.yaml", "kind: matrix\nmatrix: {n: [0, 3]}\ncommand: [x]\n");

t.test("jobs and values that steps make are needed, and not known yet", async (t) => {
  const file = shop.write(
    "made.yaml",
    [
      "steps:",
      "  prepare: {command: [w], outputs: [jobs.json, list]}",
      "  score: {job: prepare/jobs.json, folder: other, set: {speed: 3}, enough: 95%}",
      "  sum: {command: [w], inputs: {x: score/r/x.json, all: score}}",
      '  fit: {job: job.yaml, each: {lines: prepare/list}, set: {env.A: "{each}"}}',
      '  last: {command: [w, "{each}"], each: {lines: lines.txt}, inputs: {x: "fit/{each}/all.json", y: fit/all.json}}',
      '  rate: {job: "{each}.yaml", each: [job], inputs: {data.json: last}}',
    ].join("\n"),
  );
  const steps = Object.fromEntries(loadPipeline(file).steps.map((step) => [step.name, step]));
  t.match(steps.score, {
    needs: ["prepare"],
    action: {
      source: { kind: "output", step: "prepare", file: "jobs.json", from: "results/jobs.json" },
      folder: join(shop.folder, "other"),
      job: undefined,
    },
  });
  t.same(steps.sum!.inputs, [
    { path: "x", step: "score", file: "r/x.json", from: undefined },
    { path: "all", step: "score", file: "", from: undefined },
  ]);
  t.match(steps.fit, {
    needs: ["prepare"],
    each: { kind: "lines", output: { from: "results/list" } },
    action: { job: undefined },
  });
  t.match(steps.last, { needs: ["fit"], each: { kind: "values", values: ["a", "b c"] } });
  t.ok(steps.rate!.action.kind === "job" && steps.rate!.action.job?.units === 2n);
});

t.test("a file beside the pipeline comes before an output, unless a command declares that output", async (t) => {
  const source = (both: string, job = "both/jobs.yaml") => {
    const { steps } = loadPipeline(shop.write("both.yaml", `steps:\n  both: ${both}\n  a: {job: ${job}}\n`));
    const { action } = steps[1]!;
    return action.kind === "job" && action.source.kind;
  };
  t.equal(source("{command: [w], outputs: [other.yaml]}"), "file");
  t.equal(source("{job: job.yaml}"), "file");
  t.equal(source("{command: [w], outputs: [jobs.yaml]}"), "output");
  t.equal(source("{command: [w], outputs: [jobs.yaml]}", "./both/jobs.yaml"), "file");
  t.equal(source("{command: [w], outputs: [other.yaml]}", "both/other.yaml"), "output");
});

t.test("an input may be missing where the job of a step that is needed publishes results", async (t) => {
  shop.write("late/make.yaml", "kind: matrix\nmatrix: {n: [0, 2]}\ncommand: [x]\noutputs: [r]\nresults: data\n");
  shop.write("late/plain.yaml", "kind: matrix\nmatrix: {n: [0, 2]}\ncommand: [x]\noutputs: [r]\n");
  const load = (needs: string, input: string, made = "make.yaml") => {
    shop.write("late/use.yaml", `kind: tasks\ntasks: [{id: a, command: [y]}]\ninputs: [${input}]\n`);
    const steps = [
      `use: {job: use.yaml, needs: [${needs}]}`,
      "wait: {command: [w], needs: [make]}",
      `make: {job: ${made}}`,
    ];
    const prepare = "prepare: {command: [w], outputs: [jobs.json]}";
    try {
      loadPipeline(shop.write("late/p.yaml", `steps:\n${[...steps, prepare].map((step) => `  ${step}\n`).join("")}`));
      return "loaded";
    } catch (error) {
      if (!(error instanceof InvalidFileError)) throw error;
      return error.problems.map(({ line, message }) => `${line}: ${message}`).join();
    }
  };
  t.equal(load("make", "data/n=0/r"), "loaded");
  t.equal(load("wait", "data/"), "loaded", "an indirect dependency");
  t.equal(load("", "data/n=0/r"), '3: inputs[0]: "data/n=0/r" does not exist');
  t.equal(load("prepare", "data/n=0/r"), '3: inputs[0]: "data/n=0/r" does not exist');
  t.equal(load("make", "dat/n=0/r"), '3: inputs[0]: "dat/n=0/r" does not exist');
  t.equal(load("make", "n=0/r", "plain.yaml"), '3: inputs[0]: "n=0/r" does not exist');
  t.equal(load("make", "n=0/r", "prepare/jobs.json"), "loaded", "a job that a step makes may publish in its folder");
  shop.write("late/data/n=0/r", "");
  t.equal(load("make", "data/n=0/r"), "loaded");
  rmSync(join(shop.folder, "late/data"), { recursive: true });
});
