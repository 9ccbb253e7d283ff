import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { connect } from "../../../fleet/connect.js";
import { describeBystanders, findBystanders, findWorkers, parseBystanders } from "../../../fleet/healing/bystanders.js";
import { acquireNodeLock } from "../../../playbooks/engine/nodelock.js";
import { type LabNode, startLab } from "../../lab/lab.js";
import { findProgram } from "../../lab/requirements.js";
import { shareLab } from "../../lab/sharedlab.js";
import { waitUntil } from "../../lab/waituntil.js";
import { toInventoryNode } from "../nodes.js";

t.setTimeout(600_000);
const { skip, lab, nodes } = await shareLab(t, { nodes: 1, gpus: 0 }, "processes of their own");
const [node] = nodes;

t.test("who would lose work by a reboot is found, and nobody else", { skip }, async (t) => {
  const connection = await connect(toInventoryNode(node!));
  t.teardown(() => connection.close());
  const find = (own: string[] = []) => findBystanders(connection, own);
  t.same(await find(), [], "neither this look, nor sshd");

  const begin = (words: string[], command: string) =>
    spawn("ssh", [...words, ...lab.sshWords(node!), command], { stdio: ["pipe", "ignore", "ignore"] });
  const quiet = begin([], "exec sleep 1001");
  await waitUntil("a command without a terminal", () => node!.processes().some(({ argv }) => argv[1] === "1001"));
  t.same(await find(), [], "a command that only looks");
  quiet.kill();

  const shell = begin(["-tt"], "exec sleep 1002");
  await waitUntil("somebody is logged in", async () => (await find()).length > 0);
  t.match(await find(), [/^user root on pts\/\d+ is logged in$/]);
  shell.kill();
  await waitUntil("nobody is logged in", async () => (await find()).length === 0);

  writeFileSync(join(node!.root, "dev/kfd"), "");
  const gpu = begin([], "exec sleep 1003 </dev/kfd");
  await waitUntil("a program uses a GPU", async () => (await find()).length > 0);
  t.match((await find())[0], /^pid \d+ \(sleep\) computes on a GPU$/);
  gpu.kill();
  for (const { pid, argv } of node!.processes()) if (argv[1] === "1003") process.kill(pid);

  const lock = await acquireNodeLock(connection, 5, () => {});
  t.same(await find(), ["another muster provisions it"]);
  await lock.release();
  t.same(await find(), []);

  const agent = begin([], "exec python3 -IS -c 'import time; time.sleep(1004)' attach /root/.muster/runs/12ab@node1");
  const chunk = begin([], "MUSTER_ROOT=/root/.muster/runs/34cd@node1 exec sleep 1004");
  await waitUntil("two runs", async () => (await find()).length === 2);
  t.same(await find(), ["run 12ab@node1 is on it", "run 34cd@node1 is on it"]);
  t.same(await find(["12ab@node1"]), ["run 34cd@node1 is on it"]);
  t.same(await findWorkers(connection), ["run 34cd@node1 is on it"], "an agent alone loses no work");
  const other = begin([], "MUSTER_ROOT=/root/.muster/runs/12ab@node1 exec sleep 1005");
  await waitUntil("a chunk of the agent", async () => (await findWorkers(connection)).length === 2);
  for (const process of [agent, chunk, other]) process.kill();
});

t.test("a report has three lists, and names a few of each", async (t) => {
  const report = (more: object) =>
    `welcome\n${JSON.stringify({ muster_bystanders: 1, runs: [], idle: [], users: [], gpu: [], provisions: 0, ...more })
      .replace(/":/g, '": ')
      .replace(/,"/g, ', "')}\nbye\n`;
  const describe = (text: string) => describeBystanders(parseBystanders(text)!);
  t.same(describe(report({})), []);
  t.same(describe(report({ users: ["a", "b", "c", "d", "e"] })), [
    "user a is logged in",
    "user b is logged in",
    "user c is logged in",
    "2 more",
  ]);
  t.same(describe(report({ provisions: 2 })), ["another muster provisions it"]);
  t.equal(parseBystanders(report({ gpu: 1 })), undefined);
  t.equal(parseBystanders(report({ provisions: "2" })), undefined);
  t.equal(parseBystanders("welcome\n"), undefined);
  t.equal(parseBystanders('{"muster_bystanders": 1, '), undefined);
});

const withoutSudo = findProgram("sudo") === undefined && "sudo is not installed here";
t.test("a user who is not root needs sudo without a password", { skip: skip || withoutSudo }, async (t) => {
  const other = await startLab({ nodes: 1, gpus: 0, user: "rig" });
  t.teardown(() => other.stop());
  const [machine] = other.nodes as [LabNode];
  const connection = await connect(toInventoryNode(machine));
  t.teardown(() => connection.close());
  await t.rejects(findBystanders(connection, []), {
    code: "SUDO",
    reason: /^this requires root, and sudo does not allow it/,
  });
  const allow = "echo 'rig ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/rig; chmod 440 /etc/sudoers.d/rig";
  await machine.exec(["sh", "-c", allow]);
  t.same(await findBystanders(connection, []), []);
});
