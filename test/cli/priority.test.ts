import t from "tap";
import { watchMuster } from "../faults/knownjob.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { startMuster } from "./startmuster.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: ["rig"], gpus: 2, vendor: "amd" }, "GPUs");
const node = nodes[0]!;

/** A worker whose result is when it ran. Workers of the run `low` wait for the file `go`. */
const WORKER = `import json, os, sys, time
began = time.monotonic()
while sys.argv[3] == "low" and not os.path.exists("/var/tmp/go"): time.sleep(0.02)
time.sleep(float(sys.argv[2]))
json.dump([began, time.monotonic()], open("r.json", "w"))
`;

/** Starts a job with this number of chunks on the GPUs of the node. */
function begin(name: string, chunks: number, seconds: number, priority: number) {
  shop.write(`${name}/w.py`, WORKER);
  const matrix = { kind: "matrix", matrix: { n: [0, chunks] }, script: "w.py", args: ["{n}", `${seconds}`, name] };
  const file = shop.write(`${name}/job.yaml`, { name, ...matrix, outputs: ["r.json"], priority });
  return watchMuster(startMuster(["run", file, "-i", inventory]));
}

interface Span {
  run: string;
  slot: number;
  from: number;
  to: number;
}

/** Returns when each chunk of a run ran. */
function spansOf(run: string): Span[] {
  const lines = shop.results(`${run}/runs/${run}`) as unknown as { slot: number; output: [number, number] }[];
  return lines.map(({ slot, output: [from, to] }) => ({ run, slot, from, to }));
}

t.test("of two runs that share GPUs, the one with the higher priority gets the next free GPU", { skip }, async (t) => {
  // With turns of five seconds, the run that started first would also end first.
  const low = begin("low", 40, 0.4, 0);
  await waitUntil("the first works", () => node.processes().filter(({ argv }) => argv.includes("w.py")).length === 2);
  const high = begin("high", 40, 0.4, 10);
  await waitUntil("the second waits for both cards", () => high.stderr().split("waits for run low").length === 3);
  await node.exec(["touch", "/var/tmp/go"]);
  const [first, second] = [await high.ended, await low.ended];
  t.equal(first.code, 0, first.err);
  t.equal(second.code, 0, second.err);
  t.match(second.err, "waits for run high");
  const [highs, lows] = [spansOf("high"), spansOf("low")];
  t.equal(highs.length, 40);
  t.equal(lows.length, 40);
  t.ok(end(highs) < end(lows), "it began later, and ended first");
  t.same(overlaps([...highs, ...lows]), [], "no card ever had two chunks");
});

const end = (spans: Span[]) => Math.max(...spans.map(({ to }) => to));

/** Returns the pairs of chunks that ran on one GPU at the same time. */
function overlaps(spans: Span[]): [Span, Span][] {
  return spans.flatMap((one, index) =>
    spans
      .slice(index + 1)
      .filter((other) => one.slot === other.slot && one.from < other.to && other.from < one.to)
      .map((other): [Span, Span] => [one, other]),
  );
}
