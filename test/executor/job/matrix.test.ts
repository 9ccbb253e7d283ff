import fc from "fast-check";
import t from "tap";
import { args, jobs } from "./jobfixture.js";

t.test("a matrix has a chunk for every combination", async (t) => {
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
  t.same(chunks[2]?.params, { model: "a/b", lr: 0.1, trial: 6n, pair: "1" });
  t.equal(new Set(chunks.map(({ id }) => id)).size, chunks.length);
  for (const { id, start, end } of chunks) t.same(job.unitsOf(id), [start, end]);
  for (const id of ["model=a", "model=a%2Fb,lr=0.1,trial=5,pair=1", "model=a%2Fb,lr=0.10,trial=05,pair=1"]) {
    t.equal(job.unitsOf(id), undefined, id);
  }
});

t.test("ids of any matrix are safe, unique and can be parsed", async (t) => {
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
