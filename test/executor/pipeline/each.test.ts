import t from "tap";
import { findValueFaults, repeatStep } from "../../../executor/pipeline/each.js";
import type { PipelineStep } from "../../../executor/pipeline/pipeline.js";

const position = { file: "p.yaml" };
const command: PipelineStep = {
  name: "fit",
  needs: ["prepare"],
  inputs: [{ path: "x", step: "prepare", file: "part-{each}.json" }],
  action: { kind: "command", argv: [["fit"], ["--k=", { name: "each" }, "/", { name: "out" }]], outputs: ["o"] },
  each: { kind: "values", values: [] },
  when: "always",
  position,
};

t.test("a value replaces {each} everywhere, and names the folder of the repetition", async (t) => {
  const [one, two] = repeatStep(command, ["7", "$& $1"]);
  t.match(one, { name: "fit/7", needs: ["prepare"], inputs: [{ path: "x", file: "part-7.json" }] });
  t.equal(one!.each, undefined);
  t.same(one!.action.kind === "command" && one!.action.argv, [["fit"], ["--k=7/", { name: "out" }]]);
  t.equal(two!.inputs[0]!.file, "part-$& $1.json", "a value is never a replacement pattern");
  const action = {
    kind: "job",
    source: { kind: "file", path: "/j/{each}.yaml" },
    set: { k: "{each}{each}", l: "1" },
    position,
  };
  const [job] = repeatStep({ ...command, action: action as PipelineStep["action"] }, ["a"]);
  t.match(job!.action, { source: { path: "/j/a.yaml" }, set: { k: "aa", l: "1" } });
  const made = { ...action, source: { kind: "output", step: "prepare", file: "{each}.json" } };
  t.match(repeatStep({ ...command, action: made as PipelineStep["action"] }, ["a"])[0]!.action, {
    source: { file: "a.json" },
  });
});

t.test("folders of repetitions are safe, and different for different values", async (t) => {
  const table: [string, string][] = [
    ["a", "a"],
    ["0.5", "0.5"],
    ["../x", "%2E.%2Fx"],
    [".", "%2E"],
    ["..", "%2E."],
    ["-v", "%2Dv"],
    ["a/b", "a%2Fb"],
    ["x y", "x%20y"],
    ["a%2Fb", "a%252Fb"],
    ["é", "%C3%A9"],
    ["old.partial", "old%2Epartial"],
    ["old%2Epartial", "old%252Epartial"],
  ];
  const steps = repeatStep(
    command,
    table.map(([value]) => value),
  );
  for (const [index, [value, folder]] of table.entries()) t.equal(steps[index]!.name, `fit/${folder}`, value);
  t.equal(new Set(steps.map(({ name }) => name)).size, table.length);
  const long = repeatStep(command, ["x".repeat(500), `${"x".repeat(500)}y`]).map(({ name }) => name);
  t.ok(long.every((name) => name.length < 255));
  t.not(long[0], long[1]);
});

t.test("values that cannot be used", async (t) => {
  const table: [string[], [index: number, message: RegExp][]][] = [
    [["a", "b"], []],
    [[], []],
    [["a", ""], [[1, /must not be empty/]]],
    [
      ["a", "b", "a", "a"],
      [
        [2, /^"a" appears twice/],
        [3, /^"a" appears twice/],
      ],
    ],
    [["a\0"], [[0, /NUL/]]],
    [Array.from({ length: 1000 }, (_, n) => `${n}`), []],
    [Array.from({ length: 1001 }, (_, n) => `${n}`), [[1000, /there are 1001 values, .* at most 1000 times/]]],
  ];
  for (const [values, wanted] of table) {
    const faults = findValueFaults(values);
    t.equal(faults.length, wanted.length, String(values.slice(0, 5)));
    for (const [at, [index, message]] of wanted.entries()) t.match(faults[at], { index, message });
  }
});
