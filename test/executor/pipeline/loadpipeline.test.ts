import { join } from "node:path";
import t from "tap";
import { loadPipeline } from "../../../executor/pipeline/loadpipeline.js";
import { InvalidFileError } from "../../../schemas/errors.js";
import { TestFolder } from "../../cli/startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
shop.write("data.json", "[]");
shop.write("w.sh", "#!/bin/sh\n", 0o755);
shop.write(
  "job.yaml",
  "kind: matrix\nmatrix: {n: [0, 2]}\nscript: w.sh\ninputs: [data.json]\noutputs: [r.json]\naggregate: {from: r.json, as: array, to: all.json}\n",
);
shop.write("bad.yaml", "kind: matrix\nmatrix: {n: [0, 2]}\nscript: nothing.sh\n");

/** Returns the problems of a pipeline with these lines as `line:column: message`, with file names without folders. */
function problems(lines: string[]): string[] {
  const file = shop.write("pipeline.yaml", `${lines.join("\n")}\n`);
  try {
    loadPipeline(file);
  } catch (error) {
    if (!(error instanceof InvalidFileError)) throw error;
    t.equal(error.exitStatus, 65);
    return error.problems.map((one) => {
      const where = one.file === file ? "" : `${one.file.slice(shop.folder.length + 1)}:`;
      return `${where}${one.line}:${one.column}: ${one.message}${one.hint === undefined ? "" : ` (${one.hint})`}`;
    });
  }
  return [];
}

t.test("a valid pipeline is loaded", async (t) => {
  const file = shop.write(
    "good.yaml",
    [
      "steps:",
      "  one: {job: job.yaml}",
      "  two: {job: job.yaml, inputs: {data.json: one/all.json}, set: {env.A: b}, needs: [three]}",
      '  three: {command: [sort, "{in}/x", "{{"], inputs: {x: one/n=1/r.json, all: one}, outputs: [o/p.txt]}',
      "  four: {job: job.yaml, inputs: {data.json: three/o/p.txt}}",
      "  five: {provision: [ramdisk], needs: [four]}",
    ].join("\n"),
  );
  const { name, steps } = loadPipeline(file);
  t.equal(name, "good");
  t.same(
    steps.map(({ needs }) => needs),
    [[], ["one", "three"], ["one"], ["three"], ["four"]],
  );
  t.same(steps[2]!.inputs, [
    { path: "x", step: "one", from: "results/n=1/r.json" },
    { path: "all", step: "one", from: "results" },
  ]);
  t.same(steps[3]!.inputs, [{ path: "data.json", step: "three", from: "results/o/p.txt" }]);
  const [, two] = steps;
  t.equal(two!.action.kind === "job" && two!.action.job.name, "good.two");
});

t.test("a step takes the output of a shard, whose path is known before it runs", async (t) => {
  shop.write("shards.yaml", "kind: shards\nshards: 3\nscript: w.sh\noutputs: [r.json]\n");
  const lines = (path: string) => ["steps:", "  a: {job: shards.yaml}", `  b: {command: [w], inputs: {x: a/${path}}}`];
  t.same(problems(lines("shard-2/r.json")), []);
  t.match(problems(lines("shard-3/r.json")), [
    /^3:33: .*has no output "shard-3\/r.json" \(it produces results.ndjson, shard-0\/r.json, shard-1\/r.json, shard-2\/r.json\)/,
  ]);
});

t.test("each problem is reported with its position", async (t) => {
  const cases: [string, string[], RegExp[]][] = [
    [
      "a circle",
      [
        "steps:",
        "  a: {command: [w], needs: [c]}",
        "  b: {command: [w], needs: [a]}",
        "  c: {command: [w], needs: [b]}",
      ],
      [/^2:29: these steps depend on one another: a -> c -> b -> a/],
    ],
    ["itself", ["steps:", "  a: {command: [w], inputs: {x: a/y}, outputs: [y]}"], [/^2:33: step a needs itself/]],
    [
      "an unknown step",
      ["steps:", "  sieve: {job: job.yaml}", "  b: {command: [w], needs: [seive]}"],
      [/^3:29: steps\.b\.needs: there is no step "seive" \(did you mean "sieve"\?\)/],
    ],
    [
      "an unknown step in inputs",
      ["steps:", "  a: {command: [w], inputs: {x: nobody/y}}"],
      [/^2:33: steps\.a\.inputs: "nobody\/y": there is no step "nobody"/],
    ],
    [
      "a missing output of a job",
      ["steps:", "  a: {job: job.yaml}", "  b: {command: [w], inputs: {x: a/hits.json}}"],
      [
        /^3:33: step a has no output "hits\.json" \(it produces all\.json, results\.ndjson, n=0\/r\.json, n=1\/r\.json\)/,
      ],
    ],
    [
      "a missing output of a command",
      ["steps:", "  a: {command: [w]}", "  b: {command: [w], inputs: {x: a/y}}"],
      [/^3:33: step a has no output "y" \(it declares none\)/],
    ],
    [
      "files of a verify",
      ["steps:", "  a: {verify: [ramdisk]}", "  b: {command: [w], inputs: {x: a/y}}"],
      [/^3:33: step a is a verify step, which produces no files/],
    ],
    [
      "an input that the job has not",
      ["steps:", "  a: {command: [w], outputs: [y]}", "  b: {job: job.yaml, inputs: {dta.json: a/y}}"],
      [/^3:31: steps\.b\.inputs: the job has no input "dta\.json" \(did you mean "data\.json"\?\)/],
    ],
    ["a job that is not there", ["steps:", "  a: {job: no.yaml}"], [/^2:12: steps\.a\.job: "no\.yaml" does not exist/]],
    [
      "a job that is invalid",
      ["steps:", "  a: {job: bad.yaml}"],
      [/^bad\.yaml:3:9: script: "nothing\.sh" does not exist/],
    ],
    [
      "a parameter that the job has not",
      ["steps:", "  a: {job: job.yaml, set: {speed: 3}}"],
      [/^2:27: --set speed: the job has no parameter or key "speed"/],
    ],
    ["two kinds", ["steps:", "  a: {job: job.yaml, command: [w]}"], [/^2:3: steps\.a has job and command/]],
    ["no kind", ["steps:", "  a: {needs: []}"], [/^2:3: steps\.a does not say what to run/]],
    [
      "a key of another kind",
      ["steps:", "  a: {job: job.yaml, outputs: [x]}"],
      [/^2:22: steps\.a\.outputs cannot be used with job/],
    ],
    [
      "an unknown key",
      ["steps:", "  a: {job: job.yaml, need: [x]}"],
      [/^2:22: unknown key "need" in steps\.a \(did you mean "needs"\?\)/],
    ],
    [
      "an unknown placeholder",
      ["steps:", '  a: {command: [w, "{inn}"]}'],
      [/^2:20: steps\.a\.command\[1\]: unknown placeholder \{inn\} \(did you mean \{in\}\?/],
    ],
    ["a path that leaves", ["steps:", "  a: {command: [w], outputs: [../y]}"], [/^2:31: .*"\.\.\/y" contains "\.\."/]],
    ["several at once", ["steps:", "  a: {job: no.yaml}", "  b: {command: [w], needs: [x]}"], [/^2:12/, /^3:29/]],
  ];
  for (const [what, lines, expected] of cases) {
    const found = problems(lines);
    t.equal(found.length, expected.length, `${what}: ${found.join(" | ")}`);
    for (const [index, one] of expected.entries()) t.match(found[index], one, what);
  }
});

t.test("--set overrides keys of the steps of a pipeline", async (t) => {
  const file = shop.write("set.yaml", "steps: {a: {job: job.yaml}, b: {command: [w]}}\n");
  t.throws(() => loadPipeline(file, { set: { "c.x": "1" } }), { message: '--set c.x: there is no step "c"' });
  t.throws(() => loadPipeline(file, { set: { "b.x": "1" } }), { message: "--set b.x: step b is not a job" });
  const { steps } = loadPipeline(file, { set: { "a.timeout": "7s" } });
  const { action: work } = steps[0]!;
  t.equal(work.kind === "job" && work.job.chunk(0n, 1n).spec.timeout, 7);
  t.equal(join(shop.folder, "job.yaml"), work.kind === "job" && work.file);
});
