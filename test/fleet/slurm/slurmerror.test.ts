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
    ["gresCount", "gres"],
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

t.test("limits of a single job never allow it", async (t) => {
  for (const limit of ["QOSMaxWallDurationPerJobLimit", "AssocMaxCpuPerJobLimit", "QOSMaxGRESPerJob"]) {
    const words = SBATCH_ERRORS.submitLimit.replace("AssocMaxSubmitJobLimit", limit);
    t.match(explain(words), { code: "SLURM", kind: "refused" }, limit);
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
  t.equal(cleanWords(SQUEUE.unknownJob), "slurm_load_jobs error: Invalid job id specified");
});
