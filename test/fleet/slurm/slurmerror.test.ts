import t from "tap";
import type { CommandResult } from "../../../fleet/connection.js";
import { cleanWords, createSlurmError, SlurmError } from "../../../fleet/slurm/slurmerror.js";
import { SBATCH_ERRORS, SQUEUE, SRUN_ERRORS } from "../engines/slurmoutputs.js";
import { createCluster } from "./clusters.js";

const cluster = createCluster(
  "partition: gpu, account: x, gres: 'gpu:2', cpus: 4, memory: 1GiB, time: 4m, sbatch: [--qos=long]",
);

function explain(stderr: string, code = 1) {
  const error = createSlurmError(cluster, "sbatch", { kind: "exit", code, stdout: "", stderr });
  const key = /^Change `(\w+)` of hpc .*\(i\.yaml:2:\d+\)/.exec(error.next ?? "")?.[1];
  return { code: error.code, kind: error instanceof SlurmError ? error.kind : undefined, key, error };
}

t.test("refusals name the key that Slurm's words are about", async (t) => {
  const table: [words: keyof typeof SBATCH_ERRORS, key: string | undefined][] = [
    ["partition", "partition"],
    ["account", "account"],
    ["timeLimit", "time"],
    ["gresName", "gres"],
    ["tooManyCpus", "cpus"],
    ["cpus", "cpus"],
    ["memory", "memory"],
    ["feature", "sbatch"],
    ["option", "sbatch"],
    ["timeSyntax", undefined],
    ["node", undefined],
    ["reservation", undefined],
    ["noInterpreter", undefined],
    ["tooLong", undefined],
  ];
  for (const [words, key] of table) {
    const found = explain(SBATCH_ERRORS[words]);
    t.match(found, { code: "SLURM", kind: "refused" }, words);
    t.equal(found.key, key, words);
  }
});

t.test("where several keys may be the cause, all that the entry has are named with their places", async (t) => {
  const table: [keys: string, change: RegExp][] = [
    ["memory: 900GiB", /^Change `memory` of hpc in the inventory \(i\.yaml:2:\d+\); `sinfo --Node /],
    [
      "cpus: 2, memory: 900GiB",
      /^Change `cpus` \(i\.yaml:2:\d+\) or `memory` \(i\.yaml:2:\d+\) of hpc in the inventory; /,
    ],
    [
      "gres: 'gpu:9', cpus: 2, memory: 1GiB, sbatch: [--exclusive]",
      /^Change `gres` \(\S+\), `cpus` \(\S+\), `memory` \(\S+\) or `sbatch` \(\S+\) of hpc /,
    ],
    ["partition: gpu", /^Change the entry of hpc in the inventory; /],
  ];
  for (const [keys, change] of table) {
    const stderr = SBATCH_ERRORS.gresCount;
    const { next } = createSlurmError(createCluster(keys), "sbatch", { kind: "exit", code: 1, stdout: "", stderr });
    t.match(next, change, keys);
  }
});

t.test("the advice names the command that shows what is possible", async (t) => {
  const table: [words: string, look: RegExp][] = [
    [SBATCH_ERRORS.account, /; `sacctmgr show associations user=\$USER` on the login node /],
    ["sbatch: error: Batch job submission failed: Invalid qos specification\n", /; `sacctmgr show associations /],
    [SBATCH_ERRORS.option, /; `sbatch --help` /],
    [SBATCH_ERRORS.feature, /; `sinfo --format="%P %f"` /],
    [SBATCH_ERRORS.partition, /; `sinfo` on the login node /],
    [SBATCH_ERRORS.cpus, /; `sinfo --Node /],
  ];
  for (const [words, look] of table) t.match(explain(words).error.next, look, words);
});

t.test("limits of a single job never allow it", async (t) => {
  const limits = [
    ["QOSMaxWallDurationPerJobLimit", "time"],
    ["AssocMaxCpuPerJobLimit", "cpus"],
    ["QOSMaxGRESPerJob", "gres"],
  ] as const;
  for (const [limit, key] of limits) {
    const words = SBATCH_ERRORS.submitLimit.replace("AssocMaxSubmitJobLimit", limit);
    t.match(explain(words), { code: "SLURM", kind: "refused", key }, limit);
  }
});

t.test("limits of the user may allow it later", async (t) => {
  const table = [
    SBATCH_ERRORS.submitLimit,
    "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n",
    "sbatch: error: Batch job submission failed: Job count limit exceeded\n",
  ];
  for (const words of table) t.match(explain(words), { code: "SLURM", kind: "limited" }, words);
});

t.test("a controller that does not answer is asked again", async (t) => {
  const table = [
    SBATCH_ERRORS.controller,
    SBATCH_ERRORS.munge,
    SQUEUE.controller,
    SQUEUE.munge,
    SRUN_ERRORS.controller,
    SRUN_ERRORS.nodeDaemon,
    "squeue: error: slurm_receive_msg: Socket timed out on send/recv operation\n",
  ];
  for (const words of table) t.match(explain(words), { code: "UNREACHABLE", kind: undefined }, words);
});

t.test("how a command ended otherwise", async (t) => {
  const table: [CommandResult, string][] = [
    [{ kind: "lost", reason: "reset", stdout: "", stderr: "" }, "LOST"],
    [{ kind: "timeout", seconds: 60, stdout: "", stderr: "" }, "TIMEOUT"],
    [{ kind: "exit", code: 127, stdout: "", stderr: "sbatch: command not found\n" }, "MISSING"],
    [{ kind: "signal", signal: "SIGKILL", stdout: "", stderr: "" }, "SLURM"],
  ];
  for (const [result, code] of table) {
    const error = createSlurmError(cluster, "sbatch", result);
    t.equal(error.code, code);
    t.equal(error.node, "hpc");
  }
  t.match(explain("", 3).error.reason, /sbatch: exit 3$/);
  const missing: CommandResult = { kind: "exit", code: 127, stdout: "", stderr: "scancel: command not found\n" };
  t.equal(createSlurmError(cluster, "look for Slurm", missing).reason, "look for Slurm: scancel: command not found");
  t.equal(createSlurmError(cluster, "scancel", missing).reason, "scancel: command not found");
  const waiting: CommandResult = { kind: "timeout", seconds: 60, stdout: "", stderr: SQUEUE.munge };
  t.match(createSlurmError(cluster, "squeue", waiting).reason, /^squeue gave no answer within 60 s: .*[Mm]unge/);
});

t.test("the words are Slurm's own, in one printable line", async (t) => {
  t.equal(
    cleanWords(SBATCH_ERRORS.partition),
    "invalid partition specified: nosuch; Batch job submission failed: Invalid partition name specified",
  );
  t.equal(cleanWords("sbatch: error: same\nsbatch: error: same\n\n"), "same");
  t.equal(cleanWords("a\u001b[2Jb\u0007"), "a [2Jb ");
  t.equal(cleanWords("x".repeat(1000)).length, 400);
  t.equal(cleanWords("sbatch: command not found\n"), "sbatch: command not found");
  t.equal(cleanWords(SQUEUE.unknownJob), "slurm_load_jobs error: Invalid job id specified");
});
