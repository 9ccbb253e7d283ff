import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { agentProgram, cleanProgram } from "../../templates/nodeprograms.js";
import { waitUntil } from "../lab/waituntil.js";
import {
  AgentAttachment,
  AgentFolder,
  attachAgent,
  coordinatorNonces,
  findProcesses,
  stopAgent,
} from "./agentdriver.js";

t.setTimeout(600_000);

/** An agent with a chunk that runs in two sessions, one of them without its environment. */
async function startBusyAgent(t: Test, slots = 1) {
  const { folder, attachment, hello } = await attachAgent(t, {
    slots: Array.from({ length: slots }, (_, slot) => ({ slot, env: {} })),
  });
  const nap = `1${hello.pid}`;
  attachment.start("long", {}, [`env -i setsid sleep ${nap} & exec sleep ${nap}`]);
  await waitUntil("it runs in two sessions", () => findSleeps(nap).length === 2);
  return { folder, attachment, hello, nap };
}

const findSleeps = (nap: string) => findProcesses(`sleep\0${nap}\0`);
/** A zombie does not count. */
const isAlive = (pid: number) => findProcesses("attach\0").includes(pid);
const remove = (folder: AgentFolder) => rmSync(dirname(folder.root), { recursive: true });

const LOSSES: [string, RegExp, (folder: AgentFolder) => void][] = [
  ["deleted", /it was deleted or moved/, remove],
  ["moved", /it was deleted or moved/, ({ root }) => renameSync(dirname(root), join(dirname(root), "../elsewhere"))],
  [
    "replaced",
    /another folder is in its place/,
    (folder) => {
      remove(folder);
      mkdirSync(folder.root, { recursive: true });
      writeFileSync(join(folder.root, "precious"), "");
    },
  ],
];
for (const [what, reason, lose] of LOSSES)
  t.test(`an agent whose folder is ${what} ends with everything that it runs, and says why`, async (t) => {
    const { folder, attachment, hello, nap } = await startBusyAgent(t);
    lose(folder);
    const problem = await attachment.waitFor((one) => one.ev === "problem");
    t.match(problem, { message: reason });
    t.match(problem, { message: folder.root });
    t.equal(await attachment.waitForExit(), 0);
    await waitUntil("it is gone", () => !isAlive(hello.pid));
    t.same(findSleeps(nap), [], "no chunk runs on");
    t.notOk(
      attachment.messages.some((one) => one.ev === "done"),
      "what it killed did not fail",
    );
    if (what === "replaced") t.same(readdirSync(folder.root), ["precious"], "the new folder is not touched");
    else t.notOk(existsSync(folder.root));
  });

t.test("an idle agent without a coordinator notices, too", async (t) => {
  const { folder, attachment, hello } = await attachAgent(t);
  await attachment.disconnect();
  remove(folder);
  await waitUntil("it is gone", () => !isAlive(hello.pid), 60);
});

t.test("a chunk that ends or begins after the folder was deleted is not reported as failed", async (t) => {
  const { folder, attachment } = await startBusyAgent(t, 2);
  const gate = join(dirname(folder.root), "../gate");
  attachment.start("ends", { outputs: ["out"] }, [`: > out; until [ -e ${gate} ]; do sleep 0.1; done`], 1);
  attachment.start("begins", {}, ["true"], 1);
  await attachment.waitFor((one) => one.ev === "started" && one.id === "ends");
  remove(folder);
  writeFileSync(gate, "");
  await attachment.waitFor((one) => one.ev === "problem");
  await attachment.waitForExit();
  t.notOk(attachment.messages.some((one) => one.ev === "done"));
});

t.test("a chunk that is sent after the folder was deleted is not reported as failed", async (t) => {
  const { folder, attachment } = await attachAgent(t);
  remove(folder);
  attachment.start("late", {}, ["true"]);
  t.match(await attachment.waitFor((one) => one.ev === "problem" || one.ev === "done"), { ev: "problem" });
  await attachment.waitForExit();
});

t.test("a folder that cannot be examined is not gone: its agent continues", async (t) => {
  const { folder, attachment, hello, nap } = await startBusyAgent(t, 2);
  const runs = dirname(folder.root);
  renameSync(runs, `${runs}.aside`);
  symlinkSync("runs", runs); // a loop of links: ELOOP
  for (let count = 0; count < 3; count++) {
    attachment.send({ op: "ping" });
    await attachment.waitFor((one) => one.ev === "pong");
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  t.ok(isAlive(hello.pid));
  t.equal(findSleeps(nap).length, 2);
  unlinkSync(runs);
  renameSync(`${runs}.aside`, runs);
  t.match(await attachment.run("after", "echo works", {}, 1), { exit: 0 });
});

t.test("a new agent ends the one whose folder it took, even a stopped one", async (t) => {
  const { folder, attachment, hello, nap } = await startBusyAgent(t);
  process.kill(hello.pid, "SIGSTOP");
  remove(folder);
  const other = new AgentFolder(`${dirname(folder.root)}/other`);
  t.teardown(() => stopAgent(other));
  const beside = new AgentAttachment(other);
  const besideHello = await beside.open();
  beside.start("long", {}, [`exec sleep 9${nap}`]);
  const next = new AgentAttachment(folder);
  t.same((await next.open(coordinatorNonces(2))).held, []);
  t.notOk(isAlive(hello.pid), "the first one is gone before the second says hello");
  t.same(findSleeps(nap), [], "with what it ran");
  t.ok(isAlive(besideHello.pid), "the agent of another run continues");
  t.equal(findSleeps(`9${nap}`).length, 1);
  await attachment.waitForExit();
  await next.stop();
});

/** The report of `clean` for a folder. */
function clean(root: string): Record<string, unknown> {
  const { args: words, stdin } = cleanProgram(agentProgram());
  const { stdout, stderr, status } = spawnSync("python3", [...words, root], { input: stdin, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout).muster_clean;
}

t.test("clean ends an agent without a folder and its chunks, and reports what is left", async (t) => {
  const { folder, attachment, hello, nap } = await startBusyAgent(t);
  const other = new AgentFolder(`${dirname(folder.root)}/other`);
  t.teardown(() => stopAgent(other));
  const beside = new AgentAttachment(other);
  await beside.open();
  process.kill(hello.pid, "SIGSTOP");
  rmSync(folder.root, { recursive: true });
  const report = clean(folder.root);
  t.match(report, { alive: [], root: null });
  t.ok((report.ended as number) >= 1);
  t.notOk(isAlive(hello.pid));
  t.same(findSleeps(nap), []);
  await attachment.waitForExit();
  t.match(clean(folder.root), { ended: 0, alive: [], root: null }, "a second time there is nothing");
  t.match(await beside.run("works", "true"), { exit: 0 }, "another run's agent is not touched");
});

t.test("clean kills the chunks of a killed agent, and reports that its folder is there", async (t) => {
  const { folder, attachment, hello } = await attachAgent(t);
  const nap = `2${hello.pid}`;
  attachment.start("orphan", {}, [`exec sleep ${nap}`]);
  await attachment.waitFor((one) => one.ev === "started");
  process.kill(hello.pid, "SIGKILL");
  await attachment.waitForExit();
  t.equal(findSleeps(nap).length, 1, "it lives on");
  t.match(clean(folder.root), { ended: 1, alive: [], root: "it is still there" });
  t.same(findSleeps(nap), []);
  const runs = dirname(folder.root);
  renameSync(runs, `${runs}.aside`);
  symlinkSync("runs", runs);
  t.match(clean(folder.root), { root: /^it cannot be examined: Too many levels of symbolic links/ });
  unlinkSync(runs);
  renameSync(`${runs}.aside`, runs);
});
