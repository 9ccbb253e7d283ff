import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import type { Job } from "../../../../executor/job/job.js";
import { NO_PROJECT_FOLDERS } from "../../../../executor/job/project/project.js";
import { RunReplay } from "../../../../executor/run/record/replay.js";
import { formatResultLine } from "../../../../executor/run/record/resultlines.js";
import { locateResults } from "../../../../executor/run/record/resultsfolder.js";
import { aggregate } from "../../../../executor/run/results/aggregate.js";

type As = NonNullable<Job["aggregate"]>["as"];

const line = (chunk: string, output?: string) =>
  formatResultLine({ chunk, node: "n", slot: 0, attempt: 1, seconds: 0, sha256: "", output });

function folder(test: Test): string {
  const path = mkdtempSync(join(tmpdir(), "muster-aggregate-"));
  test.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

function runAt(path: string, kind: Job["kind"]) {
  return {
    path,
    results: locateResults(path, "id", { kind, folders: NO_PROJECT_FOLDERS }, new RunReplay()),
  };
}

/** What comes of these outputs, one a chunk, when they are kept as files. */
async function ofFiles(test: Test, as: As, outputs: string[]): Promise<string> {
  const path = folder(test);
  const ids = outputs.map((_, index) => `${index}-${index + 1}`);
  for (const [index, text] of outputs.entries()) {
    const file = join(path, "results", ids[index]!, "out/r.json");
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  writeFileSync(join(path, "results.ndjson"), ids.map((id) => line(id)).join(""));
  const job = {
    kind: "range",
    collect: "files",
    unitsOf: (id: string) => id.split("-").map(BigInt),
    chunk: (start: bigint) => ({ id: `${start}-${start + 1n}`, spec: { outputs: ["out/r.json"], inputs: [] } }),
  } as unknown as Job;
  await aggregate(runAt(path, "range"), job, { from: "out/r.json", as, to: "all" });
  test.notOk(existsSync(join(path, "all.partial")), "nothing else is left");
  return readFileSync(join(path, "all"), "utf8");
}

/** The same when they are kept as lines. */
async function ofLines(test: Test, as: As, outputs: string[]): Promise<string> {
  const path = folder(test);
  writeFileSync(
    join(path, "results.ndjson"),
    outputs.map((text, index) => line(`${index}-${index + 1}`, text)).join(""),
  );
  await aggregate(runAt(path, "range"), { kind: "range", collect: "lines" } as unknown as Job, {
    from: "r.json",
    as,
    to: "all",
  });
  return readFileSync(join(path, "all"), "utf8");
}

const BIG = "18446744073709551615";

t.test("array: elements of arrays, other values whole; integers of any size stay exact", async (t) => {
  const table: [outputs: string[], expected: string][] = [
    [[], "[]\n"],
    [["[]", " [ ] \n"], "[]\n"],
    [["[1]", "[]", "[2, 3]"], "[\n1,\n2, 3\n]\n"],
    [['{"a": 1}', "2", '"x"', "null"], '[\n{"a": 1},\n2,\n"x",\nnull\n]\n'],
    [[`[${BIG}]`, `{"seed": ${BIG}.5e300}`], `[\n${BIG},\n{"seed": ${BIG}.5e300}\n]\n`],
    [["[[1], [[]]]", "[[]]"], "[\n[1], [[]],\n[]\n]\n"],
    [['["]", "[,"]', '"[1]"'], '[\n"]", "[,",\n"[1]"\n]\n'],
  ];
  for (const [outputs, expected] of table) {
    t.equal(await ofFiles(t, "array", outputs), expected, `files: ${outputs.join(" ")}`);
    t.equal(await ofLines(t, "array", outputs), expected, `lines: ${outputs.join(" ")}`);
  }
});

t.test("array: output that is not JSON becomes a string, so the array stays valid JSON", async (t) => {
  const text = await ofFiles(t, "array", ["plain\n", "[1, 2", "", '{"a": "\u2028"}', "\u00e9\u6f22"]);
  t.same(JSON.parse(text), ["plain\n", "[1, 2", { a: "\u2028" }, "\u00e9\u6f22"]);
});

t.test("lines: each value is one line, and other text is unchanged", async (t) => {
  const table: [outputs: string[], expected: string][] = [
    [[], ""],
    [['{"a": 1}', "[]", "2\n"], '{"a": 1}\n[]\n2\n'],
    [
      ['{\n  "seed": 18446744073709551615,\r\n\r\n  "b": [\n1,\n2]\n}\n'],
      '{ "seed": 18446744073709551615, "b": [ 1, 2] }\n',
    ],
    [["one\ntwo", "three\n", "", "four"], "one\ntwo\nthree\nfour\n"],
  ];
  for (const [outputs, expected] of table) t.equal(await ofFiles(t, "lines", outputs), expected, outputs.join(" "));
  t.equal(await ofLines(t, "lines", ['{\n"a": [1,\n2]}', "7"]), '{ "a": [1, 2]}\n7\n');
});

t.test("concat: outputs are joined byte for byte", async (t) => {
  t.equal(await ofFiles(t, "concat", ["a", "", "b\n", "\u0000\u2028", "c"]), "ab\n\u0000\u2028c");
  const large = "x".repeat(300_000);
  t.equal((await ofFiles(t, "concat", Array(8).fill(large))).length, 8 * large.length);
});

t.test("tasks: their outputs lie side by side, and a task without the output is passed over", async (t) => {
  const path = folder(t);
  mkdirSync(join(path, "results"));
  writeFileSync(join(path, "results/model.json"), "[1]");
  writeFileSync(join(path, "results.ndjson"), line("train") + line("report"));
  const job = {
    kind: "tasks",
    collect: "files",
    unitsOf: (id: string) => (id === "train" ? [0n, 1n] : [1n, 2n]),
    chunk: (start: bigint) => ({ id: "t", spec: { outputs: start === 0n ? ["model.json"] : [], inputs: [] } }),
  } as unknown as Job;
  await aggregate(runAt(path, "tasks"), job, { from: "model.json", as: "array", to: "all" });
  t.equal(readFileSync(join(path, "all"), "utf8"), "[\n1\n]\n");
});

t.test("an existing aggregate is replaced only by a complete one; a missing output is an error", async (t) => {
  const path = folder(t);
  writeFileSync(join(path, "all"), "of before");
  writeFileSync(join(path, "results.ndjson"), line("0-1"));
  const job = {
    kind: "range",
    collect: "files",
    unitsOf: () => [0n, 1n],
    chunk: () => ({ id: "0-1", spec: { outputs: ["r"], inputs: [] } }),
  } as unknown as Job;
  await t.rejects(aggregate(runAt(path, "range"), job, { from: "r", as: "concat", to: "all" }), { code: "ENOENT" });
  t.equal(readFileSync(join(path, "all"), "utf8"), "of before");
  writeFileSync(join(path, "results.ndjson"), "");
  await t.rejects(aggregate(runAt(path, "range"), job, { from: "r", as: "array", to: "no/such/folder" }), {
    code: "ENOENT",
  });
});

t.test("array: empty outputs give nothing, and NaN is refused with its place, or read as null", async (t) => {
  t.equal(await ofFiles(t, "array", ["", "1", " \n", "[2]"]), "[\n1,\n2\n]\n");
  await t.rejects(ofFiles(t, "array", ["1", '{"a": "NaN",\n "b": [1, NaN]}']), {
    code: "NOT_JSON",
    message: /1-2\/out\/r\.json:2:11: NaN is not JSON$/,
    next: /nan_as_null: true/,
  });
});
