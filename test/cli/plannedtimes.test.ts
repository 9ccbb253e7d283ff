import { dirname } from "node:path";
import t from "tap";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

/** Takes 0.4 s to load, and then a moment for each unit. */
const WORKER = `import sys, time
time.sleep(0.4 + (int(sys.argv[2]) - int(sys.argv[1])) / 20000)
open("o.txt", "w").close()
`;

t.test("a plan has measured start-up or says that it is unknown, and names costly overhead", async (t) => {
  shop.write("w.py", WORKER);
  const inventory = shop.write("inventory.yaml", {
    profiles: { cpu: { vendor: "none", rate: 20_000 } },
    nodes: { here: { connection: "local", profile: "cpu", slots: 2 } },
  });
  const file = shop.write("job.yaml", {
    name: "loading",
    kind: "range",
    range: [0, 30_000],
    chunk: { base: 3000 },
    script: "w.py",
    args: ["{start}", "{end}"],
    outputs: ["o.txt"],
  });
  const muster = (...words: string[]) => runMuster(["run", file, "-i", inventory, ...words], { cwd: dirname(file) });

  const before = await muster("--plan");
  t.match(
    before.out,
    /30,000 units, about \d+ chunks, time unknown until a run has measured how long nodes take to start/,
  );
  t.notMatch(before.out, /to work/);
  const ran = await muster();
  t.equal(ran.code, 0, ran.err);
  t.match(ran.out, /planned by the inventory's rates: \d+ chunks in an unknown time; actual: \d+ chunks in [\d.]+ s\n/);
  const overhead = /chunks take [\d.]+ s to start, [\d.]+ s to work: set `chunk: \{target: 5m\}`\n/;
  t.match(ran.out, overhead);
  const after = await muster("--plan");
  t.match(after.out, /about \d+ chunks and [\d.]+ s, [\d.]+ s of it to start\n/);
  t.match(after.out, overhead);
  const { startupSeconds, seconds } = JSON.parse((await muster("--plan", "--json")).out);
  t.ok(startupSeconds > 0 && startupSeconds < seconds, `${startupSeconds} of ${seconds} s`);
});
