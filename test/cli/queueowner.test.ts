import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type MusterResult, runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

/** A queue whose tasks print the values of their parameters. */
const queue = (name: string, params: Record<string, unknown>, program = "printf") => ({
  name,
  kind: "queue",
  command: [program, Object.keys(params).fill("%s ").join("")],
  args: Object.keys(params).map((key) => `{${key}}`),
  params,
  outputs: ["stdout"],
});

/** Runs muster with a text on stdin. */
function pipe(words: string[], text: string): Promise<MusterResult> {
  const child = startMuster(words);
  child.stdin!.end(text);
  return waitForExit(child);
}

const run = (file: string, ...words: string[]) => runMuster(["run", file, "-i", "local", ...words]);

t.test("before its first run, a queue belongs to the job file that it was made for", async (t) => {
  const file = shop.write("owner/big.yaml", queue("big", { n: 1 }));
  const other = shop.write("owner/other.yaml", queue("big", { n: 1, m: 2 }, "echo"));
  const tasks = shop.write("owner/tasks.yaml", { name: "big", kind: "tasks", tasks: [{ id: "a", command: ["true"] }] });
  const directory = join(shop.folder, "owner/runs/big");
  t.match(await pipe(["add", file, "-"], '{"id": "w1", "params": {"n": 7}}'), { code: 0 });
  const refusal =
    /runs\/big holds the queue of \S+\/big.yaml, not of \S+\/other.yaml\n +Give one of the jobs another name/;
  t.match(await pipe(["add", other, "-"], '{"id": "w2", "params": {"m": 7}}'), { code: 65, err: refusal });
  t.match(await run(other), { code: 65, err: refusal });
  t.match(await run(tasks), { code: 65, err: /holds the queue of \S+\/big.yaml, and this job is of kind tasks/ });
  t.match(await pipe(["add", tasks, "-"], '{"id": "w1"}'), { code: 65, err: /a job of kind tasks has no queue/ });
  t.equal(readFileSync(join(directory, "journal.ndjson"), "utf8"), "", "no other run has begun there");
  t.match(
    await pipe(["add", other, "-", "--out", join(shop.folder, "elsewhere")], '{"id": "w2", "params": {"m": 7}}'),
    { code: 0 },
  );
  renameSync(file, shop.write("owner/renamed.yaml", ""));
  const renamed = join(shop.folder, "owner/renamed.yaml");
  t.match(await pipe(["add", renamed, "--close"], ""), { code: 0 }, "the file may get another name");
  t.match(await run(renamed), { code: 0 });
  t.equal(shop.read("owner/runs/big/results/w1/stdout"), "7 ");
});

t.test("after it began, only the same job adds by its file", async (t) => {
  const file = shop.write("begun/big.yaml", queue("big", { n: 1 }));
  t.match(await pipe(["add", file, "-", "--close"], '{"id": "w1", "params": {"n": 7}}'), { code: 0 });
  t.match(await run(file, "--set", "n=3"), { code: 0 });
  t.match(await pipe(["add", file, "-"], '{"id": "w1", "params": {"n": 7}}'), { code: 0, out: /0 tasks added/ });
  const other = shop.write("begun/other.yaml", queue("big", { n: 1 }, "echo"));
  t.match(await pipe(["add", other, "-"], '{"id": "w1", "params": {"n": 7}}'), {
    code: 65,
    err: /runs\/big holds a run of another job or of other inputs:\n +command: \[printf\] -> \[echo\]/,
  });
  const tasks = shop.write("begun/tasks.yaml", { name: "big", kind: "tasks", tasks: [{ id: "a", command: ["true"] }] });
  t.match(await pipe(["add", tasks, "-"], '{"id": "w1"}'), { code: 65, err: /a job of kind tasks has no queue/ });
});

t.test("a run that began with an inventory, with --set or with env is known by its file", async (t) => {
  shop.write("known/requirements.txt", "");
  const here = { nodes: { here: { connection: "local" } }, python_envs: { e: { requirements: "requirements.txt" } } };
  const inventory = shop.write("known/inventory.yaml", here);
  const job = { ...queue("env", { n: 1 }), python_env: "e", env: { WORD: "secret" } };
  const file = shop.write("known/env.yaml", job);
  t.match(await pipe(["add", file, "-"], '{"id": "w1"}'), { code: 0 });
  const ran = await runMuster(["run", file, "-i", inventory, "--set", "n=3"]);
  t.match(shop.read("known/runs/env/journal.ndjson"), /"python_env\\":\\"e/, ran.err);
  t.match(await pipe(["add", file, "-"], '{"id": "w2"}'), { code: 0, out: /1 task added, 2 in all/ });
  const other = shop.write("known/other.yaml", { ...job, env: { WORD: "hidden" } });
  const refused = await pipe(["add", other, "-"], '{"id": "w3"}');
  t.match(refused, { code: 65, err: /runs\/env holds a run of another job or of other inputs:\n +env\b/ });
  t.notMatch(refused.err, /secret|hidden/);
  const lacking = shop.write("known/lacking.yaml", { ...job, args: [], params: { m: 1 } });
  t.match(await pipe(["add", lacking, "-"], '{"id": "w3"}'), {
    code: 65,
    err: /runs\/env holds a run of another job: --set n: the job has no parameter/,
  });
});

t.test("a run refuses tasks with parameters that the job no longer has", async (t) => {
  const file = shop.write("renames/q.yaml", queue("q", { n: 1 }));
  const directory = join(shop.folder, "renames/runs/q");
  t.match(await pipe(["add", file, "-", "--close"], '{"id": "u1", "params": {"n": 7}}\n{"id": "u2"}'), { code: 0 });
  shop.write("renames/q.yaml", queue("q", { k: 5 }));
  t.match(await run(file), {
    code: 65,
    err: /the task "u1" has the parameter "n", which \S+\/q.yaml does not have\n +Add it to `params`.*cancel .* --task u1/,
  });
  t.equal(existsSync(join(directory, "results")), false, "nothing ran");
  t.match(await runMuster(["cancel", directory, "--task", "u1"]), { code: 0 });
  t.match(await run(file), { code: 0 });
  t.equal(shop.read("renames/runs/q/results/u2/stdout"), "5 ");
});
