import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

/** Starts a run with --fresh, interrupts it once `started` exists, and returns what it printed. */
async function interrupt(file: string, started: string) {
  rmSync(started, { force: true });
  const child = startMuster(["run", file, "-i", "local", "--fresh"], { cwd: shop.folder });
  const ended = waitForExit(child);
  await waitUntil("a program has started", () => existsSync(started), 30);
  child.kill("SIGINT");
  return ended;
}

t.test("an interrupted run that --fresh created says how to resume it: --fresh would create another one", async (t) => {
  const started = join(shop.folder, "started");
  const job = (last: string) =>
    shop.write("job.json", {
      kind: "tasks",
      project: "none",
      command: ["sh", "-c", `touch ${started}; sleep 1; ${last}`],
      tasks: [{ id: "one" }],
      outputs: ["stdout"],
    });
  t.match(await interrupt(job("echo 1"), started), { code: 130, out: /use --out runs\/job instead of --fresh/ });
  t.match(await runMuster(["run", "job.json", "-i", "local", "--out", "runs/job"], { cwd: shop.folder }), { code: 0 });
  t.match(await interrupt(job("echo 2"), started), { out: /to resume it, use --out runs\/job-2 instead of --fresh/ });
  const status = async (run: string) => (await runMuster(["status", run], { cwd: shop.folder })).out;
  t.match(await status("runs/job-2"), / {2}run its job with --out runs\/job-2 to resume\n/);
  const refused = await runMuster(["run", "job.json", "-i", "local"], { cwd: shop.folder });
  t.match(refused, {
    code: 65,
    err: /job holds a run of another job.*job-2 was started later.* --out \S*job-2\. Start/s,
  });
  const resumed = await runMuster(["run", "job.json", "-i", "local", "--out", "runs/job-2"], { cwd: shop.folder });
  t.match(resumed, { code: 0, out: /complete: 1 chunk/ });
});

t.test("so does a pipeline", async (t) => {
  const started = join(shop.folder, "started-step");
  const file = shop.write("pipe.json", {
    name: "pipe",
    steps: { one: { command: ["sh", "-c", `touch ${started}; sleep 30`] } },
  });
  t.match(await interrupt(file, started), {
    out: /interrupted; to resume it, use --out runs\/pipe instead of --fresh/,
  });
});

t.test("a step that is complete is executed again with --fresh only, and --only says so", async (t) => {
  const command = ["sh", "-c", "echo x >> count"];
  shop.write("steps.json", { name: "steps", steps: { one: { command }, two: { command, needs: ["one"] } } });
  const run = (...words: string[]) => runMuster(["run", "steps.json", "-i", "local", ...words], { cwd: shop.folder });
  t.match(await run(), { code: 0 });
  t.match(await run("--only", "two"), { code: 0, out: /already complete/, err: /step two is complete; .*add --fresh/ });
  t.match(await run("--from", "one"), { code: 0, err: /step one is complete; .*add --fresh/ });
  t.equal(shop.read("count"), "x\nx\n");
  t.match(await run("--only", "two", "--fresh"), { code: 0, out: /two: +complete/ });
  t.equal(shop.read("count"), "x\nx\nx\n");
});
