import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
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

t.test("a coordinator that reattaches gets results, and what still runs", async (t) => {
  const { folder, attachment } = await attachAgent(t);
  attachment.start("early", {}, ["echo early"]);
  attachment.start("later", {}, ["while [ ! -e ../../go ]; do sleep 0.1; done; echo later"]);
  attachment.start("last", {}, ["echo last"]);
  await attachment.waitForDone("early");
  await attachment.waitFor((one) => one.ev === "started" && one.id === "later");
  await attachment.disconnect();
  const second = new AgentAttachment(folder);
  const hello = await second.open(coordinatorNonces(2));
  t.same(
    hello.held.map(({ id, state }) => [id, state]),
    [
      ["early", "done"],
      ["later", "running"],
      ["last", "queued"],
    ],
  );
  t.equal(decodeInline((await second.waitForDone("early")).stdout), "early\n");
  second.start("later", {}, ["echo twice"]);
  await second.disconnect();
  writeFileSync(join(folder.root, "go"), "");
  await waitUntil("the queue continued without a coordinator", () => existsSync(join(folder.root, "a/last/out")));
  const third = new AgentAttachment(folder);
  await third.open(coordinatorNonces(3));
  for (const id of ["early", "later", "last"]) t.equal(decodeInline((await third.waitForDone(id)).stdout), `${id}\n`);
  third.send({ op: "ack", ids: ["early", "later", "last"] });
  await waitUntil("everything is deleted", () => folder.listAttempts().length === 0);
});

t.test("a newer attachment replaces the older one; two at once start one agent", async (t) => {
  const folder = new AgentFolder();
  t.teardown(() => stopAgent(folder));
  const both = [new AgentAttachment(folder), new AgentAttachment(folder)];
  const hellos = await Promise.all(both.map((one) => one.open()));
  t.equal(new Set(hellos.map((one) => one.pid)).size, 1);
  const code = await Promise.race(both.map((one) => one.waitForExit()));
  t.equal(code, 0);
  const notified = both.filter((one) => one.messages.some((message) => message.ev === "problem"));
  t.equal(notified.length, 1, "the older one was notified");
});

t.test("a coordinator that does not know the owner's nonce is refused, without side effects", async (t) => {
  const { folder, attachment, hello } = await attachAgent(t, coordinatorNonces(2));
  const copy = new AgentAttachment(folder);
  const stranger = { nonce: "c".repeat(16), nonces: [...coordinatorNonces(1).nonces, "c".repeat(16)] };
  const refused = await copy.sendOpen(stranger);
  t.same(refused, { ev: "refused", owner: coordinatorNonces(2).nonce });
  t.equal(await copy.waitForExit(), 0, "its connection is closed");
  t.equal((await attachment.run("after", "true")).exit, 0, "the owner is still attached");
  process.kill(hello.pid, "SIGKILL");
  await attachment.waitForExit();
  t.match(
    await new AgentAttachment(folder).sendOpen(stranger),
    { ev: "refused" },
    "an agent started in its folder refuses, too",
  );
  const next = new AgentAttachment(folder);
  t.match(
    (await next.open(coordinatorNonces(3))).held,
    [{ id: "after" }],
    "one that knows the nonce gets the held attempts",
  );
});

t.test("a connection that sends nothing, or malformed lines, replaces nobody", async (t) => {
  const { folder, attachment } = await attachAgent(t);
  const silent = Array.from({ length: 9 }, () => new AgentAttachment(folder));
  for (const line of [
    "nonsense",
    "{}",
    "[]",
    '{"op":"cancel","ids":[]}',
    '{"op":"open"}',
    '{"op":"open","nonces":7}',
  ]) {
    const other = new AgentAttachment(folder);
    other.sendText(`${line}\n`);
    await other.waitForExit();
  }
  t.equal((await attachment.run("a", "true")).exit, 0);
  for (const one of silent) await one.disconnect();
});

t.test("when its lease expires without a coordinator, the agent kills everything and deletes its folder", async (t) => {
  const { folder, attachment } = await attachAgent(t, { lease: 3 });
  attachment.start("orphan", {}, ["setsid sleep 1000 & sleep 1000"]);
  await attachment.waitFor((one) => one.ev === "started");
  await attachment.disconnect();
  await waitUntil("the folder is gone", () => !existsSync(folder.root));
  await waitUntil("no process is left", () => findProcesses(folder.root).length === 0);
});

t.test("the successor of a killed agent has its results, and kills its processes", async (t) => {
  const { folder, attachment, hello } = await attachAgent(t);
  await attachment.run("kept", "echo kept");
  await attachment.run("acked", "echo acked");
  attachment.send({ op: "ack", ids: ["acked"] });
  attachment.start("running", {}, ["setsid sleep 1000 & sleep 1000"]);
  attachment.start("queued", {}, ["true"]);
  await attachment.waitFor((one) => one.ev === "started" && one.id === "running");
  await waitUntil("it is deleted", () => !folder.listAttempts().includes("acked"));
  process.kill(hello.pid, "SIGKILL");
  await attachment.waitForExit();
  const second = new AgentAttachment(folder);
  const again = await second.open(coordinatorNonces(2));
  t.not(again.pid, hello.pid);
  t.same(again.held.map(({ id, state, chunk, slot }) => [id, state, chunk, slot]).sort(), [
    ["kept", "done", "chunk-kept", 0],
    ["running", "done", "chunk-running", 0],
  ]);
  t.equal(decodeInline((await second.waitForDone("kept")).stdout), "kept\n");
  t.match(await second.waitForDone("running"), { error: /killed/, lost: true, exit: null });
  t.same(findProcesses("MUSTER_ATTEMPT=running"), []);
  t.equal((await second.run("fresh", "true")).exit, 0);
});

t.test("the journal is compacted, and loses nothing that is still needed", async (t) => {
  const slots = [0, 1].map((slot) => ({ slot, env: {} }));
  const { folder, attachment, hello } = await attachAgent(t, { inline: 1 << 20, slots });
  const journal = join(folder.root, "done.ndjson");
  await attachment.run("kept", "echo kept");
  attachment.start("running", {}, ["sleep 1000"]);
  await attachment.waitFor((one) => one.ev === "started" && one.id === "running");
  let largest = 0;
  for (let index = 0; index < 9; index++) {
    await attachment.run(`large${index}`, "head -c 700000 /dev/zero > zeros", { outputs: ["zeros"] }, 1);
    attachment.send({ op: "ack", ids: [`large${index}`] });
    largest = Math.max(largest, statSync(journal).size);
  }
  t.ok(largest > 3 << 20, `it had grown to ${largest} bytes`);
  t.ok(statSync(journal).size < largest / 2, `${statSync(journal).size} bytes are left`);
  process.kill(hello.pid, "SIGKILL");
  await attachment.waitForExit();
  const second = new AgentAttachment(folder);
  await second.open(coordinatorNonces(2));
  t.equal(decodeInline((await second.waitForDone("kept")).stdout), "kept\n");
  t.match(await second.waitForDone("running"), { lost: true });
});
