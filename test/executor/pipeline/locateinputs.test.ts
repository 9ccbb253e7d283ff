import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import t from "tap";
import { locateFile, locateInputs } from "../../../executor/pipeline/locateinputs.js";
import type { Pipeline, PipelineStep } from "../../../executor/pipeline/pipeline.js";

const each = { kind: "values", values: [] };
const pipeline = { steps: [{ name: "one" }, { name: "elsewhere" }, { name: "fit", each }, { name: "none", each }] };

function createRun(): { place: { pipeline: Pipeline; path: string }; at: (path: string) => string } {
  const files = { "summary.json": "{}", "journal.ndjson": "" };
  const path = t.testdir({
    one: { ...files, "all.json": "", "results.ndjson": "", results: { "x.json": "", deep: { y: "" } } },
    elsewhere: { ...files, "results.ndjson": "", results: {} },
    fit: {
      a: { results: { "f.json": "", "only.json": "" } },
      "b%2F": { results: { "f.json": "" } },
      "c.partial": { results: {} },
    },
    none: {},
    data: { "z.json": "" },
  });
  const summary = { state: "complete", nodes: [], results: `${path}/data` };
  writeFileSync(`${path}/elsewhere/summary.json`, JSON.stringify(summary));
  return { place: { pipeline: pipeline as unknown as Pipeline, path }, at: (file) => relative(path, file) };
}

t.test("outputs are found where steps have put them", async (t) => {
  const { place, at } = createRun();
  const find = (step: string, file: string, from?: string) => {
    const inputs = [{ path: "in", step, file, from }];
    const [found] = locateInputs(place, { inputs } as unknown as PipelineStep);
    return found!.parts.map((part) => `${part.path}: ${at(part.source)}`);
  };
  const table: [step: string, file: string, from: string | undefined, wanted: string[]][] = [
    ["one", "x.json", "results/x.json", ["in: one/results/x.json"]],
    ["one", "x.json", undefined, ["in: one/results/x.json"]],
    ["one", "deep/y", undefined, ["in: one/results/deep/y"]],
    ["one", "all.json", undefined, ["in: one/all.json"]],
    ["one", "results.ndjson", undefined, ["in: one/results.ndjson"]],
    ["one", "", undefined, ["in: one/results"]],
    ["elsewhere", "z.json", undefined, ["in: data/z.json"]],
    ["elsewhere", "results.ndjson", undefined, ["in: elsewhere/results.ndjson"]],
    ["fit", "f.json", undefined, ["in/a/f.json: fit/a/results/f.json", "in/b%2F/f.json: fit/b%2F/results/f.json"]],
    ["fit", "", undefined, ["in/a: fit/a/results", "in/b%2F: fit/b%2F/results"]],
    ["fit", "a/f.json", undefined, ["in: fit/a/results/f.json"]],
    ["fit", "a", undefined, ["in: fit/a/results"]],
    ["none", "f.json", undefined, []],
  ];
  for (const [step, file, from, wanted] of table) t.same(find(step, file, from), wanted, `${step}/${file}`);
  const missing: [step: string, file: string, from: string | undefined, message: string, next: string][] = [
    ["one", "z.json", "results/z.json", 'step one has no output "z.json"', "It has produced deep, x.json."],
    ["one", "journal.ndjson", undefined, 'step one has no output "journal.ndjson"', "It has produced deep, x.json."],
    ["one", "../data/z.json", undefined, 'step one has no output "../data/z.json"', "It has produced deep, x.json."],
    ["fit", "only.json", undefined, 'step fit/b%2F has no output "only.json"', "It has produced f.json."],
    [
      "elsewhere",
      "",
      undefined,
      `step elsewhere has no output "" in ${place.path}/data`,
      "Name one of the files that it publishes there as STEP/FILE.",
    ],
  ];
  for (const [step, file, from, message, next] of missing)
    t.throws(() => find(step, file, from), { code: "NO_RESULTS", exitStatus: 65, message, next });
  t.equal(at(locateFile(place, { step: "fit", file: "a/f.json" })), "fit/a/results/f.json");
  t.throws(() => locateFile(place, { step: "fit", file: "f.json" }), {
    message: 'step fit has 2 files "f.json", one for each value',
    next: "Name one: fit/VALUE/f.json.",
  });
});
