import { symlinkSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import t, { type Test } from "tap";
import type { Chunk, Job } from "../../../executor/job/job.js";
import { type LoadOptions, loadJob } from "../../../executor/job/load.js";
import { render } from "../../../executor/job/template.js";
import { placed, problemsOf, refusalOf } from "../../schemas/places.js";

const VALUES = { gpu: "3", out: "/w" };

/** A folder with scripts and inputs, and a function that loads a text there as a job. */
function jobs(t: Test): (text: string, options?: LoadOptions) => Job {
  const folder = t.testdir({
    "w.py": "",
    "notes.txt": "",
    data: { "a.json": "1", deep: { "b.json": "2" } },
    empty: {},
  });
  symlinkSync(".", `${folder}/empty/loop`);
  return (text, options) => {
    writeFileSync(`${folder}/job.yaml`, text);
    return loadJob(`${folder}/job.yaml`, options);
  };
}

const args = (chunk: Chunk) => chunk.work.args.map((template) => render(template, VALUES));

t.test("a range", async (t) => {
  const job = jobs(t)(`
kind: range
range: [18446744073709551615, 18446744073709551999]
script: ./w.py
args: [--from, "{start}", --to, "{end}", "{out}/{chunk}.json", "{gpu}", "{p}", "{q}", 0.10, 18446744073709551615, true, "{{x}}"]
inputs: [data]
outputs: [./hits.json]
params: {p: 0.50, q: "{start}"}
env: {A: 0x10}
timeout: 10m
needs: {vendor: amd, memory: 1GiB}
`);
  const chunk = job.chunk(job.first, job.first + 10n);
  t.match(job, {
    name: "job",
    kind: "range",
    first: 18446744073709551615n,
    units: 384n,
    sizing: { by: "time", target: undefined, first: undefined, min: 1, max: undefined },
    needs: { vendor: "amd", memory: 2 ** 30, playbooks: [] },
    retry: { attempts: 3, backoff: 1 },
    collect: "files",
    params: { p: 0.5, q: "{start}" },
  });
  t.equal(chunk.id, "18446744073709551615-18446744073709551625");
  const id = chunk.id;
  const wanted = [
    "--from",
    "18446744073709551615",
    "--to",
    "18446744073709551625",
    `/w/${id}.json`,
    "3",
    "0.50",
    "{start}",
  ];
  t.same(args(chunk), [...wanted, "0.10", "18446744073709551615", "true", "{x}"]);
  t.match(chunk.work, {
    program: { kind: "script", script: { path: "w.py" }, prefix: ["{python}"] },
    inputs: [{ path: "data/a.json" }, { path: "data/deep/b.json" }],
    outputs: ["hits.json"],
    env: { A: "0x10" },
    timeout: 600,
  });
  t.same(
    [...job.stagedFiles()].map(({ path }) => path),
    ["w.py", "data/a.json", "data/deep/b.json"],
  );
});

t.test("chunk sizes", async (t) => {
  const load = jobs(t);
  const table: [string, Job["sizing"] | string][] = [
    ["1000", { by: "rate", base: 1000, min: 1000, max: 1000 }],
    ["{base: 10000}", { by: "rate", base: 10_000, min: 500, max: 500_000 }],
    ["{base: 100}", { by: "rate", base: 100, min: 100, max: 5000 }],
    ["{max: 50}", { by: "time", target: undefined, first: undefined, min: 1, max: 50 }],
    ["{target: 5m}", { by: "time", target: 300, first: undefined, min: 1, max: undefined }],
    ["{target: 90, base: 10, min: 2}", { by: "time", target: 90, first: 10, min: 2, max: 500 }],
    ["{min: 7, max: 3}", "4:8 chunk: min 7 and max 3 must not decrease"],
    ["{base: 10, min: 20}", "4:8 chunk: min 20, base 10 and max 500 must not decrease"],
  ];
  for (const [chunk, wanted] of table) {
    const text = `kind: range\nrange: [0, 5]\nscript: w.py\nchunk: ${chunk}\n`;
    if (typeof wanted === "string") t.same(placed(problemsOf(() => load(text))), [wanted], chunk);
    else t.same(load(text).sizing, wanted, chunk);
  }
});

t.test("any cut of a range covers it exactly once, and ids say which units they are", async (t) => {
  const load = jobs(t);
  fc.assert(
    fc.property(
      fc.bigInt(0n, 2n ** 70n),
      fc.bigInt(1n, 5000n),
      fc.array(fc.bigInt(1n, 900n), { minLength: 1 }),
      (first, units, sizes) => {
        const job = load(
          `kind: range\nrange: [${first}, ${first + units}]\nscript: w.py\nargs: ["{start}", "{end}"]\n`,
        );
        let at = job.first;
        for (let i = 0; at < first + units; i++) {
          const end = [at + sizes[i % sizes.length]!, first + units].reduce((a, b) => (a < b ? a : b));
          const chunk = job.chunk(at, end);
          const [from, to] = job.unitsOf(chunk.id)!;
          if (from !== at || to !== end || args(chunk).join() !== `${at},${end}`) return false;
          at = end;
        }
        return at === first + units && job.unitsOf(`${first}-${first + units + 1n}`) === undefined;
      },
    ),
    { numRuns: 50 },
  );
  const job = load("kind: range\nrange: [5, 10]\nscript: w.py\n");
  for (const id of ["", "5", "4-6", "05-6", "6-5", "5-5", "-5-6", "../x"]) t.equal(job.unitsOf(id), undefined, id);
});

t.test("tasks", async (t) => {
  const job = jobs(t)(`
kind: tasks
script: w.py
args: [common, "{chunk}"]
inputs: [data/a.json]
env: {A: 1, B: 1}
timeout: 60
tasks:
  - {id: one, outputs: [results/one.json]}
  - {id: 2, args: ["{out}", 1.0], inputs: [data/deep/b.json], outputs: [results/two.json], gpu: 3, env: {B: 2}, timeout: 1m30s}
  - {id: three, command: [echo, "-n", "{gpu}"], args: [x]}
`);
  t.match(job, { kind: "tasks", first: 0n, units: 3n, sizing: undefined });
  const [one, two, three] = [0n, 1n, 2n].map((unit) => job.chunk(unit, unit + 1n));
  t.same(
    [one, two, three].map((chunk) => chunk?.id),
    ["one", "2", "three"],
  );
  t.same(
    [one, two, three].map((chunk) => args(chunk!)),
    [
      ["common", "one"],
      ["/w", "1.0"],
      ["-n", "3", "x"],
    ],
  );
  t.match(one?.work, {
    outputs: ["results/one.json"],
    env: { A: "1", B: "1" },
    timeout: 60,
    inputs: [{ path: "data/a.json" }],
  });
  t.match(two, { gpu: 3, work: { env: { A: "1", B: "2" }, timeout: 90 } });
  t.same(
    two?.work.inputs.map(({ path }) => path),
    ["data/a.json", "data/deep/b.json"],
  );
  t.match(three?.work, { program: { kind: "command", command: ["echo"] }, outputs: [], timeout: 60 });
  t.same(job.unitsOf("2"), [1n, 2n]);
  t.equal(job.unitsOf("four"), undefined);
});

t.test("a job may leave the program to its tasks and still share the rest", async (t) => {
  const job = jobs(t)("kind: tasks\nenv: {A: 1}\ninputs: [data/a.json]\ntasks: [{id: a, script: w.py}]\n");
  t.match(job.chunk(0n, 1n).work, { env: { A: "1" }, inputs: [{ path: "data/a.json" }] });
});

t.test("a matrix", async (t) => {
  const job = jobs(t)(`
kind: matrix
matrix: {model: [a/b, "c,d=e"], lr: [0.10, 1], trial: [5, 8], pair: ["1", "2"]}
script: w.py
args: ["{model}", "{lr}", "{trial}", "{pair}"]
outputs: [r.json]
`);
  t.equal(job.units, 2n * 2n * 3n * 2n);
  const chunks = Array.from({ length: Number(job.units) }, (_, unit) => job.chunk(BigInt(unit), BigInt(unit) + 1n));
  t.same(
    [chunks[0]?.id, chunks[1]?.id, chunks.at(-1)?.id],
    ["model=a%2Fb,lr=0.10,trial=5,pair=1", "model=a%2Fb,lr=0.10,trial=5,pair=2", "model=c%2Cd%3De,lr=1,trial=7,pair=2"],
  );
  t.same(args(chunks[2]!), ["a/b", "0.10", "6", "1"]);
  t.equal(new Set(chunks.map(({ id }) => id)).size, chunks.length);
  for (const { id, start, end } of chunks) t.same(job.unitsOf(id), [start, end]);
  for (const id of ["model=a", "model=a%2Fb,lr=0.1,trial=5,pair=1", "model=a%2Fb,lr=0.10,trial=05,pair=1"]) {
    t.equal(job.unitsOf(id), undefined, id);
  }
});

t.test(
  "when tasks should begin: what each says goes before what the job says, and changes nothing about results",
  async (t) => {
    const load = jobs(t);
    const text = (rank: string) => `
kind: tasks
script: w.py
priority: 2
expect: 2m
tasks:
  - {id: a, inputs: [data]}
  - {id: b${rank}}
`;
    const job = load(text(", expect: 90, priority: -1"));
    const [a, b] = [job.chunk(0n, 1n), job.chunk(1n, 2n)];
    t.match(a, { expect: 120, priority: undefined, work: { inputs: [{ bytes: 1 }, { bytes: 1 }] } });
    t.match(b, { expect: 90, priority: -1 });
    t.equal(job.priority, 2);
    t.equal(job.identity, load(text("")).identity);
    t.equal(load("kind: matrix\nscript: w.py\nexpect: 5s\nmatrix: {a: [1, 2]}\n").chunk(1n, 2n).expect, 5);
  },
);

t.test("ids of any matrix are safe, different and lead back", async (t) => {
  const load = jobs(t);
  const values = fc.uniqueArray(fc.string({ unit: "grapheme", maxLength: 90 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(values, values, (a, b) => {
      const quoted = (list: string[]) => JSON.stringify([...list, "two more", "so that no pair is meant"]);
      const job = load(
        `{"kind": "matrix", "script": "w.py", "matrix": {"a": ${quoted(a)}, "b": ${quoted(b)}, "n": [0, 18446744073709551616]}}`,
      );
      const seen = new Set<string>();
      for (let unit = 0n; unit < job.units; unit += 2n ** 62n + 12345n) {
        const { id } = job.chunk(unit, unit + 1n);
        if (!/^[A-Za-z0-9%._+=,~-]{1,200}$/.test(id) || seen.has(id) || job.unitsOf(id)?.[0] !== unit) return false;
        seen.add(id);
      }
      return true;
    }),
    { numRuns: 60 },
  );
});

t.test("--set and --range", async (t) => {
  const load = jobs(t);
  const text = "kind: range\nrange: [0, 10]\nscript: w.py\nargs: ['{p}', '{new}']\nparams: {p: 1, new: x}\n";
  const job = load(text, {
    set: { p: "0.50", "params.new": "18446744073709551615", timeout: "1m", "retry.attempts": "5", "env.A": "x: y" },
    range: [2n ** 64n, 2n ** 65n],
  });
  t.match(job, { first: 2n ** 64n, units: 2n ** 64n, retry: { attempts: 5 }, params: { new: 2n ** 64n - 1n } });
  const chunk = job.chunk(job.first, job.first + 1n);
  t.same(args(chunk), ["0.50", "18446744073709551615"]);
  t.match(chunk.work, { timeout: 60, env: { A: "x: y" } });
  const needed = text.replace("params: {p: 1, new: x}", "");
  t.same(
    args(load(needed, { set: { p: "1", new: "2" } }).chunk(0n, 1n)),
    ["1", "2"],
    "a parameter only the command line has",
  );

  const table: [LoadOptions, string[]][] = [
    [
      { set: { timeout: "3q" } },
      [
        '--set timeout: timeout must be a span of time like 500ms, 60s, 10m or 1h30m (a plain number is seconds), not "3q"',
      ],
    ],
    [{ set: { "retry.attemps": "3" } }, ['--set retry.attemps: unknown key "attemps" in retry']],
    [{ range: [5n, 5n] }, ["--range: range: [5, 5] is empty"]],
    [{ range: [5n, 1n] }, ["--range: range: [5, 1] ends before it begins"]],
    [{ range: [-5n, 1n] }, ["--range: range[0] must be a whole number of at least 0, not -5"]],
  ];
  for (const [options, problems] of table) t.same(placed(problemsOf(() => load(text, options))), problems);
  t.match(
    refusalOf(() => load(text, { set: { timeot: "3" } })),
    { exit: 64, next: 'did you mean "timeout"?' },
  );
  t.match(
    refusalOf(() => load(text, { set: { "name.x": "3" } }).name),
    { exit: 65 },
  );
  t.match(
    refusalOf(() => load(text, { set: { "params.__proto__": "3" } })),
    { exit: 64 },
  );
  t.match(
    refusalOf(() => load("kind: tasks\nscript: w.py\ntasks: [{id: a}]\n", { range: [0n, 1n] })),
    { exit: 64 },
  );
});

t.test("identity: equal for what computes the same, different otherwise", async (t) => {
  const load = jobs(t);
  const text = "kind: range\nrange: [0, 10]\nscript: w.py\nargs: [1]\n";
  const identity = load(text).identity;
  for (const more of [
    "timeout: 5\n",
    "retry: {attempts: 9}\n",
    "priority: 3\n",
    "name: other\n",
    "chunk: 5\n",
    "# words\n",
  ]) {
    t.equal(load(text + more).identity, identity, more);
  }
  const others = [
    text.replace("10]", "11]"),
    text.replace("[1]", "[1.0]"),
    `${text}env: {A: 1}\n`,
    `${text}params: {a: 1}\n`,
    `${text}outputs: [x]\n`,
    `${text}inputs: [data]\n`,
  ];
  t.equal(new Set([identity, ...others.map((other) => load(other).identity)]).size, 7);
});
