import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../../templates/programfolder.js";
import { waitUntil } from "../lab/waituntil.js";
import {
  AgentAttachment,
  AgentFolder,
  attachAgent,
  coordinatorNonces,
  decodeInline,
  findProcesses,
  stopAgent,
} from "./agentdriver.js";

t.setTimeout(600_000);

/** Kills the daemon of a folder, and attaches to its successor. */
async function successor(folder: AgentFolder, attachment: AgentAttachment, pid: number) {
  process.kill(pid, "SIGKILL");
  await attachment.waitForExit();
  const next = new AgentAttachment(folder);
  return { next, hello: await next.open(coordinatorNonces(2)) };
}

t.test("a torn last line of the journal is cut off, so that the next record is not lost with it", async (t) => {
  const { folder, attachment, hello } = await attachAgent(t);
  const journal = join(folder.root, "done.ndjson");
  const whole = await attachment.run("whole", "echo whole");
  process.kill(hello.pid, "SIGKILL");
  await attachment.waitForExit();
  const torn = JSON.stringify({ ...whole, id: "torn" });
  for (const length of [1, 20, torn.length]) {
    appendFileSync(journal, torn.slice(0, length));
    const next = new AgentAttachment(folder);
    const { pid, held } = await next.open();
    t.same(
      held.filter(({ id }) => !id.startsWith("after")).map(({ id }) => id),
      ["whole"],
    );
    await next.run(`after${length}`, "echo after");
    process.kill(pid, "SIGKILL");
    await next.waitForExit();
  }
  const last = new AgentAttachment(folder);
  await last.open();
  for (const id of ["whole", "after1", "after20", `after${torn.length}`])
    t.equal(decodeInline((await last.waitForDone(id)).stdout), id.replace(/\d+/, "\n").replace("whole", "whole\n"));
  for (const line of readFileSync(journal, "utf8").trimEnd().split("\n")) JSON.parse(line);
});

t.test("processes of a killed agent are identified and killed, even with a cleared environment", async (t) => {
  const { folder, attachment, hello } = await attachAgent(t);
  const pidFile = join(folder.root, "pid");
  attachment.start("cleared", {}, [`exec env -i sh -c 'echo $$ > ${pidFile}; sleep 1000 & sleep 1000'`]);
  await waitUntil("it runs", () => existsSync(pidFile) && readFileSync(pidFile, "utf8") !== "");
  const leader = Number(readFileSync(pidFile, "utf8"));
  const inSession = () => execFileSync("ps", ["-eo", "sess=,stat="], { encoding: "utf8" }).split("\n");
  const left = () => inSession().filter((line) => Number.parseInt(line, 10) === leader && !line.includes("Z"));
  await waitUntil("three processes", () => left().length === 3);
  const { next } = await successor(folder, attachment, hello.pid);
  t.match(await next.waitForDone("cleared"), { lost: true });
  t.same(left(), []);
});

t.test("a program that kills its agent at once is reported as started until that is acknowledged", async (t) => {
  const { folder, attachment } = await attachAgent(t);
  const slots = Array.from({ length: 32 }, (_, slot) => ({ slot, env: {} }));
  await attachment.disconnect();
  const again = new AgentAttachment(folder);
  await again.open({ slots });
  again.start("cancelled", {}, ["sleep 1000"], 31);
  await again.waitFor((one) => one.ev === "started");
  again.send({ op: "cancel", ids: ["cancelled"] });
  await again.waitForDone("cancelled");
  // The others keep the agent busy, so that it dies in the turn of its event loop in which it starts all of them.
  again.start("killer", {}, ["kill -9 $PPID; sleep 1000"], 0);
  again.start("queued", {}, ["sleep 1000"], 0);
  for (const { slot } of slots.slice(1)) again.start(`calm${slot}`, {}, ["sleep 1000"], slot);
  await again.waitForExit();
  for (let count = 0; count < 2; count++) {
    const next = new AgentAttachment(folder);
    const { held, pid } = await next.open({ slots });
    const died = held.filter(({ agentDied }) => agentDied).map(({ id }) => id);
    t.ok(died.includes("killer"), "it ran");
    t.ok(!died.includes("queued") && !died.includes("cancelled"), "queued and cancelled attempts did not");
    t.match(await next.waitForDone("killer"), { lost: true, agentDied: true });
    t.same(findProcesses(`MUSTER_ROOT=${folder.root}`), [], "no process is left");
    process.kill(pid, "SIGKILL");
    await next.waitForExit();
  }
  const last = new AgentAttachment(folder);
  const { held } = await last.open({ slots });
  last.send({ op: "ack", ids: held.map(({ id }) => id) });
  await waitUntil("their folders are deleted", () => folder.listAttempts().length === 0);
});

t.test("a pid that belongs to another process now is not trusted", async (t) => {
  const { folder, attachment, hello } = await attachAgent(t);
  attachment.start("other", {}, ["sleep 1000"]);
  await attachment.waitFor((one) => one.ev === "started");
  const journal = join(folder.root, "done.ndjson");
  await waitUntil("it is written down", () => readFileSync(journal, "utf8").includes('"other"'));
  process.kill(hello.pid, "SIGKILL");
  await attachment.waitForExit();
  const [boot] = JSON.parse(readFileSync(journal, "utf8")).process as [string, number, number];
  t.equal(boot, hello.boot);
  // Records with the pid of this test, but of another start time and of another boot.
  const mine = Number(readFileSync("/proc/self/stat", "utf8").split(") ")[1]!.split(" ")[19]);
  for (const [id, process_] of [
    ["start", [boot, process.pid, mine + 1]],
    ["boot", ["another", process.pid, mine]],
  ] as const) {
    mkdirSync(join(folder.root, "a", id));
    appendFileSync(journal, `${JSON.stringify({ start: id, chunk: "c", slot: 0, process: process_ })}\n`);
  }
  const next = new AgentAttachment(folder);
  const { held } = await next.open();
  for (const id of ["other", "start", "boot"]) {
    t.match(await next.waitForDone(id), { lost: true, agentDied: id !== "boot" });
    t.equal(
      held.find((one) => one.id === id)?.agentDied ?? false,
      id !== "boot",
      `${id}: whether the node has rebooted`,
    );
  }
  t.same(findProcesses("MUSTER_ATTEMPT=other"), [], "the process of the attempt has ended; this test has not");
});

t.test("pings are answered and renew the lease; a silent connection does not renew it", async (t) => {
  const { folder, attachment } = await attachAgent(t, { lease: 5 });
  attachment.start("orphan", {}, ["setsid sleep 1000 & sleep 1000"]);
  const begin = performance.now();
  for (let count = 0; count < 6; count++) {
    attachment.send({ op: "ping" });
    await attachment.waitFor((one) => one.ev === "pong");
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  t.ok(existsSync(folder.root), `alive after ${Math.round(performance.now() - begin)} ms of pings`);
  await waitUntil("the folder is gone", () => !existsSync(folder.root));
  await waitUntil("no process is left", () => findProcesses(folder.root).length === 0);
  await attachment.waitForExit();
});

t.test("the next run deletes folders that were abandoned at a reboot, and no others", async (t) => {
  const folder = new AgentFolder();
  t.teardown(() => stopAgent(folder));
  const runs = join(folder.root, "..");
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const table: [string, string | undefined, boolean][] = [
    ["over", JSON.stringify({ boot: "another", lease: 0.5 }), false],
    ["here", JSON.stringify({ boot: "another", lease: 0.5, machine: hostname() }), false],
    ["elsewhere", JSON.stringify({ boot: "another", lease: 0.5, machine: `${hostname()}-2` }), true],
    ["waits", JSON.stringify({ boot: "another", lease: 1e9 }), true],
    ["lives", JSON.stringify({ boot, lease: 0.5 }), true],
    ["strange", "{", true],
    ["unknown", undefined, true],
  ];
  for (const [name, life] of table) {
    mkdirSync(join(runs, name, "a/1-0/work"), { recursive: true });
    if (life !== undefined) writeFileSync(join(runs, name, "life"), life);
  }
  const attachment = new AgentAttachment(folder);
  await attachment.open();
  const isGone = (name: string) => !existsSync(join(runs, name));
  await waitUntil("the abandoned folders are deleted", () => isGone("over") && isGone("here"));
  await attachment.stop();
  for (const [name, , stays] of table) t.equal(existsSync(join(runs, name)), stays, name);
});

/** Calls remove_tree() as a user who is not root. */
function removeTree(path: string): string {
  const program = [
    "import os, sys",
    `sys.path.insert(0, ${JSON.stringify(join(projectRoot(), "templates"))})`,
    "from muster_agent.workspace.tree_removal import remove_tree",
    "if os.getuid() == 0: os.setgroups([]); os.setgid(4242); os.setuid(4242)",
    "os.chdir('/')",
    "print(remove_tree(sys.argv[1]))",
  ].join("\n");
  return execFileSync("/usr/bin/python3", ["-B", "-c", program, path], { encoding: "utf8" }).trim();
}

function makeTree(script: string): string {
  const path = mkdtempSync(join(tmpdir(), "tree-"));
  chmodSync(path, 0o777);
  const user = process.getuid?.() === 0 ? ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups"] : [];
  const [program, ...words] = [...user, "sh", "-c", script];
  execFileSync(program!, words, { cwd: path });
  return path;
}

t.test("folders are deleted, whatever a chunk made of them", (t) => {
  const keep = mkdtempSync(join(tmpdir(), "keep-"));
  t.teardown(() => rmSync(keep, { recursive: true }));
  const deep = `python3 -c "
import os
for depth in range(3000):
    os.mkdir('d'); os.chdir('d')
open('end', 'w').close()"`;
  for (const [name, script] of [
    ["without permissions", "mkdir -p t/w/x/y t/v; : > t/w/x/y/z; : > t/w/f; chmod 0 t/w/x/y t/w/x t/v; chmod 500 t/w"],
    ["a link to a folder elsewhere", `mkdir t; ln -s ${keep} t/link`],
    ["deeper than a path may be long", `mkdir t; cd t; ${deep}`],
    ["names that it would use itself", "mkdir -p t/removed-0/removed-0/a t/b/removed-1; : > t/removed-2"],
  ] as const) {
    const path = makeTree(script);
    t.teardown(() => rmSync(path, { recursive: true }));
    t.equal(removeTree(join(path, "t")), "None", name);
    t.notOk(existsSync(join(path, "t")), name);
  }
  const link = makeTree(`ln -s ${keep} t`);
  t.teardown(() => rmSync(link, { recursive: true }));
  t.equal(removeTree(join(link, "t")), "None", "the folder itself is a link");
  t.ok(existsSync(keep));
  t.end();
});

t.test("an error names what could not be deleted", { skip: process.getuid?.() !== 0 && "needs root" }, (t) => {
  const path = makeTree("mkdir -p t/other t/mine; : > t/mine/file");
  t.teardown(() => rmSync(path, { recursive: true }));
  execFileSync("sh", ["-c", "chown 0:0 t/other; chmod 755 t/other; : > t/other/file"], { cwd: path });
  t.match(removeTree(join(path, "t")), /Permission denied.*t\/.*file/);
  t.notOk(existsSync(join(path, "t/mine")), "the rest is deleted");
  t.end();
});
