import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import t, { type Test } from "tap";
import { committedChunks } from "../faults/checks.js";
import { waitUntil } from "../lab/waituntil.js";
import { startInTerminal } from "./pseudoterminal.js";
import { runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

t.setTimeout(600_000);
const shop = new TestFolder();
t.teardown(() => shop.remove());

const options = { cwd: shop.folder };
/** This machine, with slots for all runs of the tests at once. */
const inventory = shop.write("here.json", { nodes: { here: { connection: "local", slots: 16 } } });
const muster = (...words: string[]) => runMuster(words, options);
const runFolder = (name: string) => join(shop.folder, "runs", name);
const open = (name: string) => writeFileSync(join(shop.folder, `go-${name}`), "");

/** Writes a job whose chunk 0 ends at once, and whose others wait for the file `go-NAME`. */
function writeJob(name: string): string {
  const wait = `[ $0 = 0 ] || until [ -e '${join(shop.folder, `go-${name}`)}' ]; do sleep 0.1; done`;
  const job = {
    name,
    kind: "matrix",
    matrix: { n: [0, 3] },
    params: { label: "a" },
    command: ["sh", "-c", wait],
    args: ["{n}", "{label}"],
    outputs: ["stdout"],
    aggregate: { from: "stdout", as: "concat", to: "all" },
  };
  return shop.write(`${name}.json`, job);
}

async function detach(name: string, ...words: string[]) {
  const started = await muster("run", writeJob(name), "-i", inventory, "--detach", "--json", ...words);
  t.equal(started.code, 0, started.err);
  const run: { path: string; log: string; pid: number } = JSON.parse(started.out);
  t.teardown(() => isAlive(run.pid) && process.kill(run.pid, "SIGKILL"));
  return run;
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}/stat`) && !/^\d+ \(.*\) Z/.test(stat(pid));
const stat = (pid: number) => readFileSync(`/proc/${pid}/stat`, "utf8");
const sessionOf = (pid: number) =>
  Number(
    stat(pid)
      .replace(/^.*\) /, "")
      .split(" ")[3],
  );
const hasEnded = (pid: number) => waitUntil(`process ${pid} has ended`, () => !isAlive(pid));

/** Creates a key to log in with, and returns its path. */
function createKey(): string {
  const file = join(shop.folder, "key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  return file;
}

/** Listens, and never answers. Returns the port. */
async function listenSilently(t: Test): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  server.unref();
  return (server.address() as AddressInfo).port;
}

t.test("a run goes on when its terminal is gone, and can be attached to from elsewhere", async (t) => {
  const job = writeJob("far");
  const started = startInTerminal(["run", job, "-i", inventory, "--detach"], options);
  const { code, out } = await waitForExit(started);
  t.equal(code, 0, out);
  t.match(out, /here: 16 slots\r\n/, "what it says while it starts");
  t.match(out, /far runs in the background, as process \d+\r\n +follow it: muster attach runs\/far\r\n/);
  t.match(out, /its log: +runs\/far\/detached.log\r\n +stop it: +muster cancel runs\/far\r\n/);
  const { pid } = JSON.parse((await muster("status", "far", "--json")).out).coordinator;
  t.equal(sessionOf(pid), pid, "it has a session of its own");
  t.same(
    [0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)),
    ["/dev/null", join(runFolder("far"), "detached.log"), join(runFolder("far"), "detached.log")],
  );
  t.same(
    readdirSync(join(shop.folder, "runs")).filter((name) => name.endsWith(".log")),
    [],
    "no file is left beside it",
  );
  const second = await muster("run", job, "-i", inventory);
  t.equal(second.code, 75);
  t.match(second.err, `is held by muster process ${pid} on `);
  const third = await muster("run", job, "-i", inventory, "--detach");
  t.equal(third.code, 75, "in the background, too");
  t.match(third.err, /is held by muster process \d+ .*\n +Follow it with `muster attach`/);

  const view = startInTerminal(["attach", "far"], options);
  let screen = "";
  view.stdout!.on("data", (bytes) => {
    screen += bytes;
  });
  await waitUntil("the live view is drawn", () => / {2}1 of 3 done, 2 running/.test(stripVTControlCharacters(screen)));
  const follower = startMuster(["attach"], options);
  const following = waitForExit(follower);
  let errors = "";
  follower.stderr!.on("data", (bytes) => {
    errors += bytes;
  });
  await waitUntil("it follows the only run", () => errors.includes("run directory: "));
  const drains = shop.write(".muster-drain.json", "damaged");
  await waitUntil("it says what the run says", () => errors.includes("cannot read which nodes are drained: "));
  rmSync(drains);
  follower.kill("SIGINT");
  t.match(await following, { code: 130, err: /far runs on; to see it again: muster attach runs\/far\n$/ });
  t.ok(isAlive(pid), "the run goes on");
  open("far");
  t.equal((await new Promise((resolve) => view.on("close", resolve))) as number, 0);
  t.match(screen, /far: complete: 3 chunks/, "the summary");
  await hasEnded(pid);
  t.match(shop.read("runs/far/detached.log"), /^inventory: .*\nrun directory: /);
  t.match(shop.read("runs/far/detached.log"), /far: complete: 3 chunks/);
  const after = await muster("attach", "far");
  t.match(after, { code: 0, out: /far: complete: 3 chunks(?:.*\n)+results: .*results\.ndjson, runs\/far\/all\n$/ });
  const again = await muster("run", job, "-i", inventory, "--detach");
  t.match(again, { code: 0, out: /far: already complete, 3 chunks/ }, "nothing is left to do");
});

t.test("a run that fails before a node is attached: its error and its exit status", async (t) => {
  const invalid = shop.write("bad.json", { name: "bad", kind: "range", rnge: [0, 1] });
  const bad = await muster("run", invalid, "--detach", "--json");
  t.equal(bad.code, 65);
  t.match(bad.err, /bad\.json:\d+:\d+: .*unknown key "rnge"/);
  t.match(JSON.parse(bad.out), { error: { code: "INVALID_FILE" }, exit: 65 });
  const away = shop.write("away.json", { nodes: { off: { host: "127.1.0.0", port: 9, slots: 1 } } });
  const none = await muster("run", writeJob("none"), "-i", away, "--detach");
  t.equal(none.code, 69);
  t.match(none.err, /off: .*refused/);
  t.match(none.out, /^none: /, "its summary");
  t.match(shop.read("runs/none/detached.log"), /off: .*refused/);
  t.equal((await muster("run", "nothing.yaml", "--detach")).code, 65);
  for (const words of [["--plan"], ["--set", "env.TOKEN=secret"]])
    t.equal((await muster("run", writeJob("none"), "-i", inventory, "--detach", ...words)).code, 64, words[0]!);
  t.equal((await muster("run")).code, 64, "no file");
  t.equal((await muster("run", "--background", "new", writeJob("none"))).code, 64, "only muster starts it so");
  t.match(await muster("attach", "nothing"), { code: 64, err: /nothing: is neither a run directory/ });
  t.match(await muster("attach"), { code: 64, err: /no run is running here/ });
  t.notOk(
    readdirSync(shop.folder).some((name) => name.endsWith(".log")),
    "no log is left behind",
  );
});

t.test("Ctrl-C while it starts ends the run", async (t) => {
  const silent = shop.write("silent.json", {
    nodes: { off: { host: "127.0.0.1", port: await listenSilently(t), slots: 1, identity_file: createKey() } },
  });
  const child = startMuster(["run", writeJob("early"), "-i", silent, "--detach"], options);
  const ended = waitForExit(child);
  await waitUntil("it has its run directory", () => existsSync(join(runFolder("early"), "live.json")));
  const { pid } = JSON.parse((await muster("status", "early", "--json")).out).coordinator;
  child.kill("SIGINT");
  t.match(await ended, { code: 130, err: /stopping: no new chunks/ });
  await hasEnded(pid);
});

t.test("--resume-all resumes what was started detached and interrupted, and nothing else", async (t) => {
  const killed = await detach("killed", "--set", "label=b");
  const cancelled = await detach("cancelled");
  const running = await detach("running");
  const front = startMuster(["run", writeJob("front"), "-i", inventory], options);
  const frontEnded = waitForExit(front);
  for (const name of ["killed", "cancelled", "running", "front"])
    await waitUntil(`${name} has a chunk`, () => committedChunks(runFolder(name)).length > 0);
  t.equal((await muster("cancel", "cancelled")).code, 0);
  await hasEnded(cancelled.pid);
  process.kill(killed.pid, "SIGKILL");
  await hasEnded(killed.pid);
  front.kill("SIGKILL");
  await frontEnded;

  const resumed = await muster("run", "--resume-all", ".", "--json");
  t.equal(resumed.code, 0, resumed.err);
  const { runs } = JSON.parse(resumed.out);
  t.match(runs, [{ path: runFolder("killed"), state: "running", run: { log: killed.log } }]);
  t.equal(runs.length, 1);
  t.not(runs[0].run.pid, killed.pid);
  t.match(
    shop.json<{ arguments: string[] }>("runs/killed/detached.json").arguments.join(" "),
    /--set label=b /,
    "with its options",
  );
  t.ok(isAlive(running.pid), "the one that runs is left alone");
  t.ok(existsSync(`${killed.log}.1`), "the log of the session before is kept");
  for (const name of ["killed", "cancelled", "running", "front"]) open(name);
  await hasEnded(runs[0].run.pid);
  t.match(JSON.parse((await muster("status", "killed", "--json")).out), { state: "complete", chunks: { done: 3 } });
  await hasEnded(running.pid);
  const nothing = await muster("run", "--resume-all", ".");
  t.match(nothing, { code: 0, err: /no run was started with --detach and interrupted\n$/ });
  t.match(await muster("run", "--resume-all", ".", "-q"), { code: 0, out: "", err: "" }, "for cron");
  t.equal((await muster("cancel", "front")).code, 0);
});

t.test("--resume-all names a run that cannot be resumed", async (t) => {
  const { pid } = await detach("moved");
  await waitUntil("a chunk is done", () => committedChunks(runFolder("moved")).length > 0);
  process.kill(pid, "SIGKILL");
  await hasEnded(pid);
  const job = shop.read("moved.json");
  shop.write("moved.json", "{");
  const failed = await muster("run", "--resume-all", "runs");
  t.equal(failed.code, 3);
  t.match(failed.err, /^moved: not resumed, exit 65:\n {4}.*moved\.json:1/);
  shop.write("moved.json", job);
  open("moved");
  const resumed = await muster("run", "--resume-all", "runs");
  t.match(resumed, { code: 0, out: /^moved: resumed, as process \d+; its log: / });
  await hasEnded(Number(/process (\d+)/.exec(resumed.out)![1]));
  for (const words of [["x.json"], ["--fresh"], ["-i", "local"]])
    t.equal((await muster("run", "--resume-all", "runs", ...words)).code, 64, words[0]!);
  t.match(await muster("run", "--resume-all", "nowhere"), { code: 64, err: /there is no such folder/ });
});

t.test("a pipeline is detached, attached to and resumed in the same way", async (t) => {
  const job = writeJob("part");
  const gate = `until [ -e '${join(shop.folder, "go-line")}' ]; do sleep 0.1; done`;
  const file = shop.write("line.json", {
    name: "line",
    steps: { first: { command: ["sh", "-c", gate] }, second: { job, needs: ["first"] } },
  });
  const started = await muster("run", file, "-i", inventory, "--detach", "--json");
  t.equal(started.code, 0, started.err);
  const { pid } = JSON.parse(started.out);
  const view = startMuster(["attach", "line"], options);
  const viewed = waitForExit(view);
  let errors = "";
  view.stderr!.on("data", (bytes) => {
    errors += bytes;
  });
  await waitUntil("attach shows the step", () => errors.includes("first: started"));
  open("line");
  await waitUntil("the job runs", () => committedChunks(join(runFolder("line"), "second")).length > 0);
  process.kill(pid, "SIGKILL");
  t.match(await viewed, { code: 130, out: /line: interrupted/ });
  const resumed = await muster("run", "--resume-all", ".");
  t.match(resumed, { code: 0, out: /line: resumed/ }, resumed.err);
  const again = startMuster(["attach", "line"], options);
  const ended = waitForExit(again);
  open("part");
  t.match(await ended, { code: 0, out: /line: complete: 2 of 2 steps done/ });
});
