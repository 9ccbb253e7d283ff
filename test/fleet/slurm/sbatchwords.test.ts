import fc from "fast-check";
import t from "tap";
import { formatSbatchWords, parseJobId } from "../../../fleet/slurm/sbatchwords.js";
import { createCluster } from "./clusters.js";

t.test("the words of a request", async (t) => {
  t.strictSame(formatSbatchWords(createCluster().request, "muster-r-1"), [
    "--cpus-per-task=1",
    "--nodes=1",
    "--ntasks=1",
    "--time=60",
    "--signal=B:TERM@120",
    "--no-requeue",
    "--output=/dev/null",
    "--chdir=/",
    "--job-name=muster-r-1",
    "--parsable",
  ]);
  const full =
    "partition: gpu, account: x, gres: 'gpu:2', cpus: 4, memory: 1500KB, time: 4m, sbatch: [--qos=long, --nice]";
  const words = formatSbatchWords(createCluster(full).request, "n");
  t.strictSame(words.slice(0, 7), [
    "--qos=long",
    "--nice",
    "--partition=gpu",
    "--account=x",
    "--gres=gpu:2",
    "--mem=2M",
    "--cpus-per-task=4",
  ]);
  t.ok(words.includes("--no-requeue"));
  t.ok(words.includes("--time=4") && words.includes("--signal=B:TERM@60"));
});

t.test("nodes that are left out are added to those of the inventory", async (t) => {
  const last = (keys: string, exclude?: string[]) =>
    formatSbatchWords(createCluster(keys).request, "n", exclude).findLast((word) => word.startsWith("--exclude"));
  t.equal(last("", ["n1", "n2"]), "--exclude=n1,n2");
  t.equal(last("sbatch: ['--exclude=a', '--exclude=b[1-2]']", ["n1"]), "--exclude=b[1-2],n1");
  t.equal(last("sbatch: ['--exclude=a']"), "--exclude=a");
});

t.test("the job id in what sbatch prints", async (t) => {
  const table: [output: string, id: string | undefined][] = [
    ["123\n", "123"],
    ["123;cluster2\n", "123"],
    ["Welcome!\n2 mails\n\n123\n", "123"],
    ["77\n123\r\n", "123"],
    ["Submitted batch job 123\n", undefined],
    ["", undefined],
  ];
  for (const [output, id] of table) t.equal(parseJobId(output), id, JSON.stringify(output));
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.string({ unit: "grapheme" })), (id, noise) => {
      const lines = noise.map((line) => `x${line.replace(/\s/g, " ")}`);
      return parseJobId([...lines, `${id}`, ""].join("\n")) === `${id}`;
    }),
  );
});
