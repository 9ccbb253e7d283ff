import t from "tap";
import { formatSbatchWords } from "../../../fleet/slurm/sbatchwords.js";
import { catchProblems } from "../../schemas/problems.js";
import { createCluster } from "./clusters.js";

t.test("words with which a pilot cannot work are refused, with the key to use", async (t) => {
  const table: [word: string, option: string, hint: RegExp][] = [
    ["--array=1-4", "array", /`pilots`/],
    ["--arr=1-4", "array", /`pilots`/],
    ["--wrap=hostname", "wrap", /setup/],
    ["--nodes=2", "nodes", /`pilots`/],
    ["--ntasks=4", "ntasks", /cpus/],
    ["--nt=4", "ntasks", /cpus/],
    ["--partition=gpu", "partition", /key partition/],
    ["--chdir=/tmp", "chdir", /workdir/],
    ["--output=/tmp/x", "output", /muster logs/],
    ["--time=1", "time", /key time/],
    ["--mem=1G", "mem", /key memory/],
    ["--gpus=2", "gpus", /gres: "gpu:NUMBER"/],
    ["--requeue", "requeue", /remove/],
    ["--test-only", "test-only", /muster doctor/],
    ["--wait", "wait", /remove/],
    ["--hold", "hold", /remove/],
  ];
  for (const [word, option, hint] of table) {
    const [problem, ...others] = catchProblems(() => createCluster(`sbatch: [--qos=x, "${word}"]`));
    t.strictSame(others, [], word);
    t.match(
      problem,
      { file: "i.yaml", line: 2, message: `nodes.hpc.sbatch[1] must not have --${option}: `, hint },
      word,
    );
    t.type(problem!.column, "number");
  }
});

t.test("other words are left to Slurm", async (t) => {
  const words = [
    ...["--qos=long", "--constraint=a100", "--mem-per-cpu=2G", "--exclusive", "--exclude=n1", "--nodelist=n2"],
    ...["--gres-flags=enforce-binding", "--time-min=1", "--wait-all-nodes=1", "--no-requeue", "--export=NONE"],
    ...["--reservation=x", "--nice=5", "--comment=--array=4", "--mail-type=END", "--nodes=1", "--ntasks=1"],
  ];
  for (const word of words) t.ok(createCluster(`sbatch: ["${word}"]`), word);
});

t.test("what muster says itself cannot be said in the inventory", async (t) => {
  const keys = "partition: gpu, account: x, gres: 'gpu:2', cpus: 4, memory: 1GiB";
  const repeated = new Set(["--nodes=1", "--ntasks=1", "--no-requeue", "--parsable"]);
  for (const word of formatSbatchWords(createCluster(keys).request, "n"))
    if (!repeated.has(word)) t.equal(catchProblems(() => createCluster(`sbatch: ["${word}"]`)).length, 1, word);
});
