import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, inventory } = await shareLab(t, { nodes: 2, gpus: 0 });

/** Prints the primes below 2000 that are `part` modulo `of`. */
const PRIMES = `import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--part", type=int)
parser.add_argument("--of", type=int)
parser.add_argument("--label")
args = parser.parse_args()
with open("primes.txt", "w") as out:
    print("#", args.label, file=out)
    for n in range(2, 2000):
        if n % args.of == args.part and all(n % d for d in range(2, int(n**0.5) + 1)):
            print(n, file=out)
`;

t.test("every shard runs once, and its outputs lie in a folder of its own", { skip }, async (t) => {
  shop.write("shards/primes.py", PRIMES);
  const job = shop.write("shards/job.yaml", {
    name: "primes",
    kind: "shards",
    shards: 12,
    command: ["python3", "primes.py", "--part", "{index}", "--of", "{shards}", "--label", "{number}/{shards}"],
    outputs: ["primes.txt"],
    aggregate: { from: "primes.txt", as: "concat", to: "all.txt" },
  });
  const plan = await runMuster(["run", job, "-i", inventory, "--plan"]);
  t.equal(plan.code, 0, plan.err);
  t.match(plan.out, /12/);
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  const names = Array.from({ length: 12 }, (_, index) => `shard-${index}`);
  t.same(readdirSync(join(shop.folder, "shards/runs/primes/results")).sort(), [...names].sort());
  t.same(
    shop.results("shards/runs/primes").map(({ chunk }) => chunk),
    names,
    "in the order of their indices",
  );
  t.match(shop.read("shards/runs/primes/results/shard-11/primes.txt"), /^# 12\/12\n/);
  const primes = shop.read("shards/runs/primes/all.txt").match(/^\d+$/gm)?.map(Number);
  t.equal(primes?.length, 303, "there are 303 primes below 2000");
  t.equal(new Set(primes).size, 303);
  const again = await runMuster(["run", job, "-i", inventory]);
  t.equal(again.code, 0);
  t.match(again.out, /already complete/);
});

t.test("a killed run of shards is resumed, and each shard counts once", { skip }, async (t) => {
  const job = shop.write("killed/job.yaml", {
    name: "killed",
    kind: "shards",
    shards: 16,
    command: ["sh", "-c", 'sleep 0.3; echo "$1" > out', "sh", "{number}"],
    outputs: ["out"],
  });
  const run = "killed/runs/killed";
  const child = startMuster(["run", job, "-i", inventory]);
  const lines = () => (existsSync(join(shop.folder, run, "results.ndjson")) ? shop.results(run).length : 0);
  await waitUntil("some shards are done", () => lines() >= 3);
  child.kill("SIGKILL");
  await waitForExit(child);
  t.ok(lines() < 16, "it was killed before the end");
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.same(
    shop.results(run).map(({ chunk }) => chunk),
    Array.from({ length: 16 }, (_, index) => `shard-${index}`),
  );
  for (let index = 0; index < 16; index++)
    t.equal(shop.read(`${run}/results/shard-${index}/out`), `${index + 1}\n`, `shard ${index}`);
  const other = await runMuster(["run", job, "-i", inventory, "--set", "shards=17"]);
  t.equal(other.code, 65);
  t.match(other.err, /shards: 16 -> 17/);
});

t.test("tools with inclusive ranges, and with skip and limit, need no wrapper", { skip }, async (t) => {
  const job = shop.write("tools/job.yaml", {
    name: "tools",
    kind: "range",
    range: [1, 1001],
    chunk: 70,
    command: ["sh", "-c", 'seq "$1" "$2" > numbers; yes | head -n "$3" | grep -c . > count', "sh"],
    args: ["{start}", "{last}", "{count}"],
    outputs: ["numbers", "count"],
    aggregate: { from: "numbers", as: "concat", to: "all" },
  });
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  const wanted = Array.from({ length: 1000 }, (_, index) => `${index + 1}\n`).join("");
  t.equal(shop.read("tools/runs/tools/all"), wanted, "each number once, in order");
  const counts = shop.results("tools/runs/tools").map(({ chunk }) => {
    const [start, end] = `${chunk}`.split("-").map(Number);
    t.equal(Number(shop.read(`tools/runs/tools/results/${chunk}/count`)), end! - start!, `${chunk}`);
    return end! - start!;
  });
  t.equal(
    counts.reduce((sum, one) => sum + one, 0),
    1000,
  );
});

t.test("a job's own parameters win over placeholders of muster", { skip }, async (t) => {
  const job = shop.write("own/job.yaml", {
    name: "own",
    kind: "range",
    range: [0, 2],
    chunk: 1,
    params: { count: 3, cores: "many", index: "i" },
    command: ["sh", "-c", 'echo "$@" > out', "sh", "{count}", "{cores}", "{index}", "{last}"],
    outputs: ["out"],
  });
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.equal(shop.read("own/runs/own/results/0-1/out"), "3 many i 0\n");
  t.equal(shop.read("own/runs/own/results/1-2/out"), "3 many i 1\n");
});
