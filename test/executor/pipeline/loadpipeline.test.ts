import { join } from "node:path";
import t from "tap";
import { loadPipeline } from "../../../executor/pipeline/loadpipeline.js";
import { InvalidFileError } from "../../../schemas/errors.js";
import { createPipelineFolder } from "./pipelinefolder.js";

const shop = createPipelineFolder();
t.teardown(() => shop.remove());
shop.write("twice.txt", "a\n\nb\n b \n");
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
    { path: "x", step: "one", file: "n=1/r.json", from: "results/n=1/r.json" },
    { path: "all", step: "one", file: "", from: "results" },
  ]);
  t.same(steps[3]!.inputs, [{ path: "data.json", step: "three", file: "o/p.txt", from: "results/o/p.txt" }]);
  const [, two] = steps;
  t.equal(two!.action.kind === "job" && two!.action.job?.name, "good.two");
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
    [
      "a job that is no output of its step",
      ["steps:", "  a: {command: [w], outputs: [x.json]}", "  b: {job: a/y.json}"],
      [/^3:12: step a has no output "y\.json" \(it produces x\.json\)/],
    ],
    [
      "a job made by a playbook",
      ["steps:", "  a: {verify: [ramdisk]}", "  b: {job: a/y.json}"],
      [/^3:12: step a is a verify step, which produces no files/],
    ],
    [
      "a job of a step that is not there",
      ["steps:", "  a: {job: nobody/y.json}"],
      [/^2:12: steps\.a\.job: "nobody\/y\.json" does not exist/],
    ],
    ["a job that makes itself", ["steps:", "  a: {job: a/y.json}"], [/^2:12: step a needs itself/]],
    [
      "jobs that make one another",
      ["steps:", "  a: {job: b/y.json}", "  b: {job: a/y.json}"],
      [/^2:12: these steps depend on one another: a -> b -> a/],
    ],
    [
      "a folder that is not there",
      ["steps:", "  a: {job: job.yaml, folder: nowhere}"],
      [/^2:30: steps\.a\.folder: there is no folder "nowhere"/],
    ],
    [
      "a folder without the script",
      ["steps:", "  a: {job: job.yaml, folder: other}"],
      [/^job\.yaml:3:9: script: "w\.sh" does not exist/, /^job\.yaml:4:10: inputs\[0\]: "data\.json" does not exist/],
    ],
    [
      "more than 100%",
      ["steps:", "  a: {job: job.yaml, enough: 120%}"],
      [/^2:30: steps\.a\.enough must be a share above 0 and up to 100%.*, not "120%"/],
    ],
    [
      "more than there is",
      ["steps:", "  a: {job: job.yaml, enough: 3}"],
      [/^2:30: steps\.a\.enough: the job has 2 units, fewer than 3 \(or name a share, like 95%\)/],
    ],
    [
      "keys of jobs in a command",
      ["steps:", "  a: {command: [w], folder: other, enough: 1}"],
      [/^2:21: steps\.a\.folder cannot be used with command/, /^2:36: steps\.a\.enough cannot be used with command/],
    ],
    [
      "each of a playbook",
      ["steps:", "  a: {verify: [ramdisk], each: [b]}"],
      [/^2:26: steps\.a\.each cannot be used with verify/],
    ],
    [
      "a value twice",
      ["steps:", '  a: {command: [w], each: [1, b, "1"]}'],
      [/^2:34: steps\.a\.each: "1" appears twice/],
    ],
    ["no values", ["steps:", "  a: {command: [w], each: []}"], [/^2:27: steps\.a\.each must have at least 1 entry/]],
    ["{each} without each", ["steps:", '  a: {command: [w, "{each}"]}'], [/^2:20: .*unknown placeholder \{each\}/]],
    [
      "lines of a file that is not there",
      ["steps:", "  a: {command: [w], each: {lines: no.txt}}"],
      [/^2:35: steps\.a\.each\.lines: "no\.txt" does not exist/],
    ],
    [
      "a line twice",
      ["steps:", "  a: {command: [w], each: {lines: twice.txt}}"],
      [/^twice\.txt:4:1: "b" appears twice/],
    ],
    [
      "lines of no output",
      ["steps:", "  a: {command: [w]}", "  b: {command: [w], each: {lines: a/list}}"],
      [/^3:35: step a has no output "list" \(it declares none\)/],
    ],
    [
      "a job for one of the values",
      ["steps:", '  a: {job: "{each}.yaml", each: [job, no]}'],
      [/^2:12: steps\.a\.job: "\{each\}\.yaml" does not exist \(looked for .*\/no\.yaml\)/],
    ],
    [
      "an output for one of the values",
      [
        "steps:",
        "  a: {command: [w], outputs: [1.txt]}",
        '  b: {command: [w], each: [1, 2], inputs: {x: "a/{each}.txt"}}',
      ],
      [/^3:47: step a has no output "2\.txt"/],
    ],
    [
      "no output of a repeated step",
      ["steps:", "  a: {command: [w], each: [1, 2], outputs: [x]}", "  b: {command: [w], inputs: {x: a/1/y}}"],
      [/^3:33: step a has no output "1\/y"/],
    ],
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
  t.equal(work.kind === "job" && work.job?.chunk(0n, 1n).spec.timeout, 7);
  t.same(work.kind === "job" && work.source, { kind: "file", path: join(shop.folder, "job.yaml") });
});
