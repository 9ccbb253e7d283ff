/**
 * Measures a queue of 100,000 tasks without nodes: what adding one task takes beyond the start of muster, and how the memory of a coordinator
 * grows that follows the queue file while batches of 1,000 are added and done. See bench/README.md.
 *     npm run bench:queue [-- TASKS]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadJob } from "../executor/job/loadjob.js";
import { addTasks } from "../executor/run/queue/addtasks.js";
import { openRunQueue } from "../executor/run/queue/findqueue.js";
import { QueueFollower } from "../executor/run/queue/queuefollower.js";
import { sequentialIds } from "../executor/schedule/attempts/attemptids.js";
import { Scheduler } from "../executor/schedule/scheduler.js";
import { parseTasks } from "../schemas/parsesource.js";

const TASKS = Number(process.argv[2] ?? 100_000);
const BATCH = 1000;
const SINGLE_ADDS = 40;

const folder = mkdtempSync(join(tmpdir(), "muster-bench-"));
try {
  const file = join(folder, "q.yaml");
  writeFileSync(file, 'kind: queue\ncommand: [echo, "{x}"]\nparams: {x: 0}\noutputs: [stdout]\nproject: none\n');
  const run = join(folder, "runs/q");
  const job = loadJob(file);
  const lines = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => JSON.stringify({ id: `t${from + at}`, params: { x: from + at } })).join(
      "\n",
    );
  const follower = new QueueFollower(run, job, new Map());
  const scheduler = new Scheduler(job, sequentialIds());
  scheduler.handle({ type: "dispatchOpened" }, 0);
  scheduler.handle({ type: "nodeJoined", node: "a", slots: [{ node: "a", slot: 0 }], limit: 1, held: [] }, 0);
  let done = 0;
  for (let from = 0; from < TASKS; from += BATCH) {
    await addTasks({ path: run, job: loadJob(file) }, parseTasks("stdin", `${lines(from, BATCH)}\n`));
    for (const change of follower.read())
      if (change.type === "added") scheduler.handle({ type: "unitsAdded", start: change.start, end: change.end }, from);
    for (let [next] = scheduler.view.inFlight(); next !== undefined; [next] = scheduler.view.inFlight()) {
      const attempt = next.attempt.id;
      scheduler.handle({ type: "started", attempt }, from);
      scheduler.handle({ type: "finished", attempt, seconds: 1 }, from);
      scheduler.handle({ type: "committed", attempt }, from);
      done++;
    }
    if ((from + BATCH) % (TASKS / 5) === 0) console.log(`${done} tasks done: ${usedMebibytes()} MiB of heap`);
  }
  const times: { ms: number; cpuMs: number }[] = [];
  for (let one = 0; one < SINGLE_ADDS; one++) {
    const [began, cpu] = [performance.now(), process.cpuUsage()];
    await addTasks(await openRunQueue(run), parseTasks("stdin", lines(TASKS + one, 1)));
    const { user, system } = process.cpuUsage(cpu);
    times.push({ ms: performance.now() - began, cpuMs: (user + system) / 1000 });
  }
  const median = (of: "ms" | "cpuMs") =>
    times
      .map((one) => one[of])
      .sort((a, b) => a - b)
      [SINGLE_ADDS / 2]!.toFixed(1);
  console.log(
    `one task added to ${TASKS}: ${median("ms")} ms, ${median("cpuMs")} ms of CPU (medians of ${SINGLE_ADDS})`,
  );
  console.log(execFileSync("uptime", { encoding: "utf8" }).trim());
} finally {
  rmSync(folder, { recursive: true });
}

function usedMebibytes(): string {
  globalThis.gc?.();
  return (process.memoryUsage().heapUsed / 2 ** 20).toFixed(1);
}
