import fc from "fast-check";
import t from "tap";
import type { Job } from "../../../executor/job/job.js";
import { catchProblems, formatProblems } from "../../schemas/problems.js";
import { args, jobs } from "./jobfixture.js";

t.test("a range has chunks of consecutive units", async (t) => {
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
    halt: { alike: 3 },
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
  t.match(chunk.spec, {
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

t.test("chunk sizes are read and validated", async (t) => {
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
    if (typeof wanted === "string") t.same(formatProblems(catchProblems(() => load(text))), [wanted], chunk);
    else t.same(load(text).sizing, wanted, chunk);
  }
});

t.test("any division of a range covers it once, and ids name their units", async (t) => {
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
