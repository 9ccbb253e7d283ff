import fc from "fast-check";
import t from "tap";
import { args, jobs } from "./jobfixture.js";

t.test("{last} and {count} are exact for integers of any size", async () => {
  const load = jobs(t);
  const end = (start: bigint, units: bigint) => start + units;
  fc.assert(
    fc.property(fc.bigInt(0n, 10n ** 80n), fc.bigInt(1n, 10n ** 30n), (start, units) => {
      const job = load(
        `{"kind": "range", "range": [${start}, ${end(start, units)}], "script": "w.py", "args": ["{last}", "{count}"]}`,
      );
      const [last, count] = args(job.chunk(start, end(start, units)));
      return last === `${end(start, units) - 1n}` && count === `${units}`;
    }),
    { numRuns: 50 },
  );
});

const KINDS = {
  range: "kind: range\nrange: [5, 8]\n",
  tasks: "kind: tasks\ntasks: [{id: a}]\n",
  matrix: "kind: matrix\nmatrix: {m: [x]}\n",
  shards: "kind: shards\nshards: 3\n",
};
const NEW_NAMES = ["last", "count", "index", "number", "shards", "cores", "gpus", "state"];

t.test("a job's own parameters win over placeholders that are new, in every kind of job", async (t) => {
  const load = jobs(t);
  const params = `{${NEW_NAMES.map((name) => `${name}: my ${name}`).join(", ")}}`;
  const texts = `[${NEW_NAMES.map((name) => `"{${name}}"`).join(", ")}]`;
  for (const [kind, text] of Object.entries(KINDS)) {
    const job = load(`${text}script: w.py\nparams: ${params}\nargs: ${texts}\n`);
    t.same(
      args(job.chunk(job.first, job.first + 1n)),
      NEW_NAMES.map((name) => `my ${name}`),
      kind,
    );
  }
});

t.test("a matrix key wins over placeholders that are new", async (t) => {
  const keys = NEW_NAMES.map((name) => `${name}: [my ${name}]`).join(", ");
  const texts = NEW_NAMES.map((name) => `"{${name}}"`).join(", ");
  const job = jobs(t)(`kind: matrix\nmatrix: {${keys}}\nscript: w.py\nargs: [${texts}]\n`);
  t.same(
    args(job.chunk(0n, 1n)),
    NEW_NAMES.map((name) => `my ${name}`),
  );
});

t.test("--set replaces a parameter that is called like a key of another kind", async (t) => {
  const load = jobs(t);
  const text = `${KINDS.range}script: w.py\nparams: {shards: 1}\nargs: ["{shards}"]\n`;
  t.same(args(load(text, { set: { shards: "7" } }).chunk(5n, 6n)), ["7"]);
  t.equal(load(`${KINDS.shards}script: w.py\n`, { set: { shards: "7" } }).units, 7n);
});

t.test("{cores} is left to the node", async (t) => {
  const load = jobs(t);
  for (const text of Object.values(KINDS)) {
    const job = load(`${text}script: w.py\nargs: ["-j{cores}"]\n`);
    t.same(args(job.chunk(job.first, job.first + 1n)), ["-j2"]);
  }
});

t.test("a device made of {gpu} is noted once, because programs see one device 0", async (t) => {
  const load = jobs(t);
  const table: [args: string, note: string | undefined, more?: string][] = [
    ['[x, "cuda:{gpu}", "cuda:{gpu}"]', "args[1] (line 5): write cuda:0 instead of cuda:{gpu}"],
    ['["--device=hip:{gpu}"]', "args[0] (line 5): write hip:0 instead of hip:{gpu}"],
    ['["cuda:{gpu}"]', undefined, "needs: {vendor: none}\n"],
    ['["cuda:0", "{gpu}", "mycuda:{gpu}", "cuda:{{gpu}}"]', undefined],
  ];
  for (const [text, note, more = ""] of table) {
    const notes = load(`project: none\n${KINDS.range}script: w.py\nargs: ${text}\n${more}`).notes ?? [];
    t.equal(notes.length, note === undefined ? 0 : 1, text);
    if (note !== undefined) t.equal(notes[0]?.split(",")[0], note);
  }
});
