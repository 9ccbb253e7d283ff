import { writeFileSync } from "node:fs";
import t from "tap";
import { RatesFile, readLearnedRates } from "../../../../executor/run/record/ratesfile.js";

t.test("rates that a run has learned are used by the next run of the same name", async (t) => {
  const folder = t.testdir();
  const file = new RatesFile(`${folder}/.muster-rates.json`, "score", (message) => t.fail(message));
  const programs = new Map(Object.entries({ "a.py": { seconds: 12, count: 3 }, "b.py": { seconds: 90, count: 1 } }));
  const slots = new Map([["zeus/0", { rate: 6, evidence: 4 }]]);
  await file.saveDuring(Promise.resolve(), () => ({ slots, programs }));
  t.match(readLearnedRates(`${folder}/inventory.yaml`, "score"), { slots, programs });
  const more = new Map(Object.entries({ "b.py": { seconds: 80, count: 2 } }));
  await file.saveDuring(Promise.resolve(), () => ({ slots, programs: more }));
  const known = readLearnedRates(`${folder}/inventory.yaml`, "score").programs!;
  t.same([...known.keys()], ["a.py", "b.py"], "what was not run again is kept");
  t.equal(known.get("b.py")!.seconds, 80);
  t.same(readLearnedRates(`${folder}/inventory.yaml`, "other").slots.size, 0);
});

t.test("the start-up of nodes is kept, and who was away at the end of the last run", async (t) => {
  const folder = t.testdir();
  const file = new RatesFile(`${folder}/.muster-rates.json`, "score", (message) => t.fail(message));
  const slots = new Map([["zeus/0", { rate: 6, evidence: 4 }]]);
  const chunkOverhead = { overheadSeconds: 3, workSeconds: 2, units: 10_000 };
  const save = (startup: [string, number][], absent: string[]) =>
    file.saveDuring(Promise.resolve(), () => ({
      slots,
      startup: new Map(startup),
      absent,
      chunkOverhead,
      deviation: 0.07,
      loading: 3.5,
    }));
  await save([["zeus", 1.5]], ["rig-a", "rig-b"]);
  await save([["rig-a", 4]], ["rig-b"]);
  const { startup, absent } = file.read();
  t.same(Object.fromEntries(startup!), { zeus: 1.5, "rig-a": 4 });
  t.same(absent, ["rig-b"]);
  t.same(file.read().chunkOverhead, chunkOverhead);
  t.match(file.read(), { deviation: 0.07, loading: 3.5 });
  const spoilt = {
    deviation: -1,
    loading: "3",
    startup: { a: "1", b: 2 },
    absent: ["c", 3],
    chunkOverhead: { units: 0 },
  };
  writeFileSync(
    `${folder}/.muster-rates.json`,
    JSON.stringify({ kinds: { score: { at: "x", slots: {}, ...spoilt } } }),
  );
  t.match(file.read(), {
    startup: new Map([["b", 2]]),
    absent: ["c"],
    chunkOverhead: undefined,
    deviation: undefined,
    loading: undefined,
  });
});

t.test("invalid entries of the file are ignored", async (t) => {
  const folder = t.testdir();
  const programs = { a: { seconds: -1, count: 1 }, b: null, c: { seconds: 5, count: 2 } };
  writeFileSync(`${folder}/.muster-rates.json`, JSON.stringify({ kinds: { score: { at: "x", slots: {}, programs } } }));
  t.same([...readLearnedRates(`${folder}/inventory.yaml`, "score").programs!.keys()], ["c"]);
});
