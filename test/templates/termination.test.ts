import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { AgentAttachment, AgentFolder, attachAgent, decodeInline, findProcesses, stopAgent } from "./agentdriver.js";

t.setTimeout(600_000);

t.test("a timeout ends the whole process group: SIGTERM, then SIGKILL", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const soft = await attachment.run("soft", "sleep 1000", { timeout: 0.3 });
  t.match(soft, { timeout: true, signal: 15, exit: null });
  const script = 'trap "" TERM; sh -c \'trap "" TERM; while :; do sleep 1; done\' & while :; do sleep 1; done';
  const hard = await attachment.run("hard", script, { timeout: 2 });
  t.match(hard, { timeout: true, signal: 9 });
  t.ok(hard.seconds >= 7 && hard.seconds < 20, `${hard.seconds} s`);
  t.same(findProcesses(`MUSTER_ROOT=${folder.root}`), [], "its descendants have ended with it");
});

t.test("a program has the grace of its job to end, whether it is out of time or cancelled", async (t) => {
  const { attachment, folder } = await attachAgent(t, { slots: [0, 1, 2].map((slot) => ({ slot, env: {} })) });
  const slow = 'trap "sleep 6; echo saved; exit 0" TERM; echo > ../../up; while :; do sleep 0.1; done';
  attachment.start("cancelled", { grace: 30 }, [slow], 0);
  await waitUntil("it is ready for SIGTERM", () => existsSync(join(folder.root, "up")));
  const late = attachment.run("late", slow, { timeout: 2, grace: 30 }, 1);
  const short = attachment.run("short", 'trap "" TERM; while :; do sleep 0.1; done', { timeout: 2, grace: 1 }, 2);
  attachment.send({ op: "cancel", ids: ["cancelled"] });
  const killed = await short;
  t.match(killed, { timeout: true, signal: 9 });
  t.ok(killed.seconds < 7, `${killed.seconds} s, less than with the usual grace of 5 s`);
  const [timedOut, cancelled] = await Promise.all([late, attachment.waitForDone("cancelled")]);
  t.match(timedOut, { timeout: true, exit: 0 });
  t.match(cancelled, { cancelled: true, exit: 0 });
  t.equal(decodeInline(timedOut.stdout), "saved\n");
  t.equal(decodeInline(cancelled.stdout), "saved\n");
});

t.test("processes that leave their process group are killed before the slot takes the next chunk", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const seconds = `1000.${process.pid}`; // no other process sleeps for exactly as long
  const escaped = `setsid sh -c 'setsid sleep ${seconds} & sleep ${seconds}' & (setsid env -i /bin/sleep ${seconds} &) ; sleep 0.2; exit 0`;
  await attachment.run("escape", escaped);
  t.same(findProcesses("MUSTER_ATTEMPT=escape"), []);
  const check = await attachment.run("check", `ps -eo ppid,args | grep '[s]leep ${seconds}' || echo none`);
  t.equal(decodeInline(check.stdout), "none\n", "also the one that cleared its environment");
  t.ok(existsSync(folder.root));
});

t.test("cancel ends queued and running attempts", async (t) => {
  const { attachment } = await attachAgent(t);
  attachment.start("running", {}, ["sleep 1000"]);
  attachment.start("queued", {}, ["echo ran"]);
  attachment.start("kept", {}, ["echo ran"]);
  await attachment.waitFor((one) => one.ev === "started" && one.id === "running");
  attachment.send({ op: "cancel", ids: ["queued", "running", "unknown"] });
  t.match(await attachment.waitForDone("queued"), { cancelled: true, exit: null, signal: null });
  t.match(await attachment.waitForDone("running"), { cancelled: true, signal: 15 });
  t.match(await attachment.waitForDone("kept"), { cancelled: false, exit: 0 });
});

t.test("a cancel during a timeout shows up in the result together with the timeout", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const script = 'trap "echo > ../../heard" TERM; while [ ! -e ../../go ]; do sleep 0.1; done';
  attachment.start("late", { timeout: 2 }, [script]);
  await waitUntil("the timeout has fired", () => existsSync(join(folder.root, "heard")));
  attachment.send({ op: "cancel", ids: ["late"] }, { op: "cancel", ids: ["late"] });
  await attachment.run("behind", "true", {}, 1); // refused at once, so the cancel before it has been read
  writeFileSync(join(folder.root, "go"), "");
  t.match(await attachment.waitForDone("late"), { timeout: true, cancelled: true });
  const ended = await attachment.run("ended", "true");
  attachment.send({ op: "cancel", ids: ["ended"] });
  attachment.start("ended", {}, ["true"]);
  t.same(await attachment.waitForDone("ended"), ended, "an attempt that has ended keeps its result");
});

t.test("without ctypes the agent cannot adopt orphans, and finds them by their environment", async (t) => {
  const folder = new AgentFolder();
  const python = mkdtempSync(join(tmpdir(), "python-"));
  t.teardown(() => rmSync(python, { recursive: true }));
  writeFileSync(join(python, "ctypes.py"), "raise ImportError('built without libffi')\n");
  const attachment = new AgentAttachment(folder, { PYTHONPATH: python, PYTHONDONTWRITEBYTECODE: "1" });
  t.teardown(() => stopAgent(folder));
  const hello = await attachment.open();
  const escaped = "setsid sh -c 'setsid sleep 1000 & sleep 1000' & sleep 0.2; exit 3";
  t.match(await attachment.run("escape", escaped), { exit: 3 });
  t.same(findProcesses("MUSTER_ATTEMPT=escape"), [], "before the slot takes the next chunk");
  attachment.start("running", {}, ["setsid sh -c 'sleep 1000 & echo $! > ../../orphan' & sleep 1000"]);
  const orphan = join(folder.root, "orphan");
  await waitUntil("it is an orphan", () => {
    const parent = existsSync(orphan) && parentOf(readFileSync(orphan, "utf8").trim());
    return parent !== false && !findProcesses("MUSTER_ATTEMPT=running").includes(parent);
  });
  t.not(parentOf(readFileSync(orphan, "utf8").trim()), hello.pid, "the agent did not adopt it");
  await attachment.stop();
  t.same(findProcesses(folder.root), [], "nothing is left after a stop");
});

function parentOf(pid: string): number | false {
  if (pid === "" || !existsSync(`/proc/${pid}/stat`)) return false;
  return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[1]);
}
