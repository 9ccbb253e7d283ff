import t, { type Test } from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: 2, gpus: 2, vendor: "amd" });

/** The time per unit on the first GPU of the slow node; elsewhere a unit takes a millisecond. */
const pace = `import json, os, sys, time
slow = float(os.environ.get("PACE", 0)) if os.environ["MUSTER_SLOT"] == "0" else 0
start, end = int(sys.argv[1]), int(sys.argv[2])
def work(units):
    time.sleep((slow or 0.001) * len(units))
    return list(units)
`;

/** The time of a chunk of 100 units on the slow slot. */
const ALONE = 60;

interface Line {
  chunk: string;
  node: string;
  output: number[];
}

function job(name: string, script: string): string {
  shop.write(`${name}/w.py`, pace + script);
  return shop.write(`${name}/job.yaml`, {
    name,
    kind: "range",
    range: [0, 2000],
    chunk: 100,
    script: "w.py",
    args: ["{start}", "{end}"],
    outputs: ["units.json"],
  });
}

async function complete(t: Test, name: string, script: string): Promise<Line[]> {
  const inventory = lab.inventory({ nodes: { [nodes[1]!.name]: { env: { PACE: "0.6" } } } });
  const began = performance.now();
  const ran = await runMuster(["run", job(name, script), "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.ok(performance.now() - began < ALONE * 1000, "it did not wait for the slow slot");
  const lines = shop.results(`${name}/runs/${name}`) as unknown as Line[];
  const units = lines.flatMap((line) => line.output).sort((a, b) => a - b);
  t.same(
    units,
    Array.from({ length: 2000 }, (_, unit) => unit),
    "every unit once",
  );
  for (const { chunk, output } of lines)
    t.equal(chunk, `${output[0]}-${output.at(-1)! + 1}`, "a chunk is called after the units that it did");
  for (const node of lab.nodes) t.same(await node.processes(), [], "no process is left on a node");
  return lines;
}

t.test("the rest of a chunk that reports its progress is split off for idle slots", { skip }, async (t) => {
  const lines = await complete(
    t,
    "split",
    `import fcntl
done = []
with open(os.environ["MUSTER_RANGE"], "a+") as file:
    while True:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        end = int((file.read().split() or [start, end])[1])
        file.truncate(0)
        file.write("%d %d\\n" % (min(start + 1, end), end))
        file.flush()
        fcntl.flock(file, fcntl.LOCK_UN)
        if start >= end: break
        done += work([start])
        start += 1
json.dump(done, open("units.json", "w"))
`,
  );
  t.ok(lines.length > 20, `${lines.length} chunks of 20 that were cut first`);
});

t.test(
  "a chunk that reports nothing gets a speculative copy elsewhere, and the first result counts",
  { skip },
  async (t) => {
    const lines = await complete(t, "twice", 'json.dump(work(range(start, end)), open("units.json", "w"))\n');
    t.equal(lines.length, 20);
    const { session } = shop.json<{ session: { chunks: number; attempts: number } }>("twice/runs/twice/summary.json");
    t.ok(session.chunks === 20 && session.attempts > 20, `${session.attempts} attempts`);
    const reported = JSON.parse((await runMuster(["report", "twice/runs/twice", "--json"], { cwd: shop.folder })).out);
    const lost = reported.stopped.find(({ why }: { why: string }) => why === "superseded");
    t.match(lost, { node: nodes[1]!.name, slot: 0 }, "the attempt that was too slow is reported");
    const [, slowNode] = reported.nodes;
    t.ok(slowNode.slots[0].busy >= lost.seconds - 0.1 && lost.seconds > 1, JSON.stringify([slowNode.slots, lost]));
    t.equal(slowNode.slots[0].rate, undefined, "what was lost does not count as done");
  },
);
