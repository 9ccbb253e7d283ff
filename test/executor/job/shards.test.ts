import t from "tap";
import { catchProblems, formatProblems } from "../../schemas/problems.js";
import { args, jobs } from "./jobfixture.js";

const SHARDS = `
kind: shards
shards: 64
script: w.py
args: ["{index}", "{number}/{shards}", "{chunk}", "{out}"]
outputs: [r.json]
expect: 90s
`;

t.test("each shard is a chunk, which knows its index, its number and how many there are", async (t) => {
  const job = jobs(t)(SHARDS);
  t.match(job, { kind: "shards", first: 0n, units: 64n, sizing: undefined });
  t.match(job.chunk(0n, 1n), { id: "shard-0", start: 0n, end: 1n, expectedSeconds: 90, spec: { outputs: ["r.json"] } });
  t.same(args(job.chunk(0n, 1n)), ["0", "1/64", "shard-0", "/w"]);
  t.same(args(job.chunk(63n, 64n)), ["63", "64/64", "shard-63", "/w"]);
  for (let unit = 0n; unit < 64n; unit++) t.same(job.unitsOf(job.chunk(unit, unit + 1n).id), [unit, unit + 1n]);
  for (const id of ["shard-64", "shard-01", "shard--1", "shard-", "shard-1 ", "0", "shard-99999999999999999999"])
    t.equal(job.unitsOf(id), undefined, id);
});

t.test("a billion shards cost nothing", async (t) => {
  const job = jobs(t)("kind: shards\nshards: 1000000000\nscript: w.py\nargs: ['{number}']\n");
  t.same(args(job.chunk(999_999_999n, 1_000_000_000n)), ["1000000000"]);
  t.same(job.unitsOf("shard-999999999"), [999_999_999n, 1_000_000_000n]);
});

t.test("another number of shards is another job", async (t) => {
  const load = jobs(t);
  const [one, other] = [load(SHARDS).identity, load(SHARDS.replace("64", "65")).identity];
  t.not(one, other);
});

t.test("reports invalid numbers of shards", async (t) => {
  const load = jobs(t);
  const not = (value: string) => [`2:9 shards must be a whole number of at least 1, not ${value}`];
  const table: [lines: string, problems: string[]][] = [
    ["shards: 0", not("0")],
    ["shards: -3", not("-3")],
    ["shards: 2.5", not("2.5")],
    ["shards: many", not('"many"')],
    ["shards: 1e30", not("1e+30")],
    ["shards: 1000000001", ["2:9 shards: 1000000001 is more than 1000000000"]],
    ["shards: 9007199254740993", ["2:9 shards: 9007199254740993 is more than 1000000000"]],
    ["shards: # none", not("nothing")],
    ["expect: 5s", ['1:1 the file has no key "shards"']],
    ["shards: 3\nrange: [0, 9]", ['3:1 "range" does not belong to kind: shards']],
    ["shards: 3\nmatrix: {a: [1]}", ['3:1 "matrix" does not belong to kind: shards']],
    ["shards: 3\ntasks: [{id: a}]", ['3:1 "tasks" does not belong to kind: shards']],
    ["shards: 3\nchunk: 5", ['3:1 "chunk" does not belong to kind: shards']],
    ["shards: 3\nargs: ['{start}']", ["3:8 args[0]: unknown placeholder {start}"]],
  ];
  for (const [lines, problems] of table)
    t.same(formatProblems(catchProblems(() => load(`kind: shards\n${lines}\nscript: w.py\n`))), problems, lines);
  const foreign = catchProblems(() => load("kind: range\nrange: [0, 9]\nshards: 3\nscript: w.py\n"));
  t.same(formatProblems(foreign), ['3:1 "shards" does not belong to kind: range']);
});
