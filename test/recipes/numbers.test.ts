import t from "tap";
import { runMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { lackingProgram, readRecipe, runProgram } from "./recipes.js";

const { skip, shop, inventory } = await shareLab(t, { nodes: 2, gpus: 0 });

t.test(
  "primesieve counts as many primes in chunks as at once",
  { skip: skip || lackingProgram("primesieve") },
  async (t) => {
    const job = shop.write("primes/primes.yaml", readRecipe("primes.yaml"));
    const ran = await runMuster(["run", job, "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    t.match(ran.out, /^results: .*runs\/primes\/results\/, .*results\.ndjson, .*counts\.txt$/m);
    const counts = shop.read("primes/runs/primes/counts.txt").trimEnd().split("\n").map(Number);
    t.equal(counts.length, shop.results("primes/runs/primes").length, "one count for each chunk");
    t.ok(counts.length > 1);
    const total = runProgram("primesieve", ["0", "9999999999", "--count", "--quiet"]);
    t.equal(
      counts.reduce((sum, count) => sum + count, 0),
      Number(total),
    );
  },
);

t.test("split hands each shard its part of a log", { skip }, async (t) => {
  const lines = Array.from({ length: 5000 }, (_, index) => `10.0.0.${(index * index) % 23} GET /${index}\n`);
  shop.write("clients/access.log", lines.join(""));
  const job = shop.write("clients/clients.yaml", readRecipe("clients.yaml"));
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  const expected = new Map<string, number>();
  for (const line of lines) {
    const client = line.split(" ")[0]!;
    expected.set(client, (expected.get(client) ?? 0) + 1);
  }
  const counted = new Map<string, number>();
  for (const line of shop.read("clients/runs/clients/clients.txt").trimEnd().split("\n")) {
    const [count, client] = line.trim().split(" ");
    counted.set(client!, (counted.get(client!) ?? 0) + Number(count));
  }
  t.same(Object.fromEntries(counted), Object.fromEntries(expected));
});
