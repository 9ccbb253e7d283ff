import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { attachAgent, decodeInline } from "./agentdriver.js";

t.setTimeout(600_000);

// These locks have the names that older agents know, and each test a GPU of its own.
delete process.env.MUSTER_LOCK_FOLDER;

t.test("two runs share a GPU in turn, and each learns who holds it", async (t) => {
  const slots = [{ slot: 0, env: {}, lock: `test-${process.pid}` }];
  const first = await attachAgent(t, { run: "alpha", slots });
  const second = await attachAgent(t, { run: "beta", slots });
  first.attachment.start("long", {}, ["sleep 1.5"]);
  await first.attachment.waitFor((one) => one.ev === "started");
  second.attachment.start("waiting", {}, ["true"]);
  t.match(await second.attachment.waitFor((one) => one.ev === "slot"), { slot: 0, holder: "alpha" });
  t.notOk(second.attachment.messages.some((one) => one.ev === "started"));
  await first.attachment.waitForDone("long");
  const free = await second.attachment.waitFor((one) => one.ev === "slot");
  t.notOk("holder" in free);
  await second.attachment.waitForDone("waiting");
  for (let index = 0; index < 40; index++) first.attachment.start(`busy${index}`, {}, ["sleep 0.3"]);
  await first.attachment.waitFor((one) => one.ev === "started" && one.id === "busy0");
  second.attachment.start("turn", {}, ["true"]);
  await second.attachment.waitForDone("turn");
  t.notOk(
    first.attachment.messages.some((one) => one.ev === "done" && one.id === "busy39"),
    "it had its turn before the other run was finished",
  );
});

t.test(
  "a run of higher priority goes before runs that wait, and, between chunks, before the run that has the GPU",
  async (t) => {
    const slots = [{ slot: 0, env: {}, lock: `priority-${process.pid}` }];
    const [low, equal, high] = await Promise.all([
      attachAgent(t, { run: "low", slots }),
      attachAgent(t, { run: "equal", slots }),
      attachAgent(t, { run: "high", slots, priority: 5 }),
    ]);
    const go = join(low.folder.root, "go");
    for (let index = 0; index < 12; index++)
      low.attachment.start(`low${index}`, {}, [`until [ -e ${go} ]; do sleep 0.1; done; sleep 0.4`]);
    await low.attachment.waitFor((one) => one.ev === "started");
    equal.attachment.start("equal", {}, ["date +%s%N"]);
    await equal.attachment.waitFor((one) => one.ev === "slot" && one.holder === "low");
    for (let index = 0; index < 4; index++) high.attachment.start(`high${index}`, {}, ["sleep 0.4; date +%s%N"]);
    t.match(await high.attachment.waitFor((one) => one.ev === "slot"), { holder: "low" });
    writeFileSync(go, "");
    t.match(await low.attachment.waitFor((one) => one.ev === "slot"), { holder: "high" });
    const last = decodeInline((await high.attachment.waitForDone("high3")).stdout);
    const waited = decodeInline((await equal.attachment.waitForDone("equal")).stdout);
    t.ok(BigInt(last) < BigInt(waited), "it finished before the other waiting run began");
    const ends = await Promise.all(Array.from({ length: 12 }, (_, index) => low.attachment.waitForDone(`low${index}`)));
    t.ok(
      ends.every(({ exit }) => exit === 0),
      "no chunk was stopped",
    );
  },
);

/** Holds the given abstract name, and answers nobody. */
const HOLDER = `import socket, sys, time
held = socket.socket(socket.AF_UNIX)
held.bind("\\0" + sys.argv[1])
held.listen()
print("held", flush=True)
time.sleep(600)
`;

t.test("a run waits for a GPU that a silent program holds, and says so", async (t) => {
  const name = `silent-${process.pid}`;
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const holder = spawn("python3", ["-c", HOLDER, `muster/${boot}/gpu/${name}`]);
  t.teardown(() => holder.kill());
  await once(holder.stdout, "data");
  const { attachment } = await attachAgent(t, { slots: [{ slot: 0, env: {}, lock: name }] });
  attachment.start("waiting", {}, ["true"]);
  t.match(await attachment.waitFor((one) => one.ev === "slot"), { slot: 0, holder: "a program that does not answer" });
  holder.kill();
  await attachment.waitForDone("waiting");
});
