import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import t from "tap";
import type { AgentMessage } from "../../executor/run/agent/protocol.js";
import { AgentAttachment, attachAgent, decodeInline } from "./agentdriver.js";
import { begun, Directory, gated } from "./nodedirectory.js";

t.setTimeout(600_000);

const share = (name: string, count: number) =>
  Array.from({ length: count }, (_, slot) => ({ slot, env: {}, lock: `${name}-${process.pid}` }));
const isStart = (id: string) => (one: AgentMessage) => one.ev === "started" && one.id === id;
const isAbout = (slot: number) => (one: AgentMessage) => one.ev === "slot" && one.slot === slot;
const until = (path: string) => `until [ -e ${path} ]; do sleep 0.1; done`;

t.test("a share that is left idle for a run of higher priority says so, and is free once that has gone", async (t) => {
  const low = await attachAgent(t, { run: "low", slots: share("due", 2) });
  const high = await attachAgent(t, { run: "high", slots: share("due", 1), priority: 5 });
  const [first, second] = ["first", "second"].map((name) => join(low.folder.root, name));
  low.attachment.start("long", {}, [until(first!)], 0);
  low.attachment.start("short", {}, [until(second!)], 1);
  low.attachment.start("next", {}, ["true"], 1);
  await low.attachment.waitFor(isStart("short"));
  high.attachment.start("high", {}, ["true"], 0);
  await high.attachment.waitFor(isAbout(0));
  writeFileSync(second!, "");
  await low.attachment.waitForDone("short");
  t.match(await low.attachment.waitFor(isAbout(1)), { slot: 1, holder: "high" });
  low.attachment.send({ op: "withdraw", ids: ["next"] });
  t.match(await low.attachment.waitForDone("next"), { cancelled: true });
  await wait(1200);
  t.notOk(
    low.attachment.messages.some((one) => one.ev === "slot" && one.holder === undefined),
    "it is not free while the other run waits",
  );
  high.attachment.send({ op: "withdraw", ids: ["high"] });
  t.match(await low.attachment.waitFor(isAbout(1)), { slot: 1, holder: undefined });
  t.match(await low.attachment.run("later", "true", {}, 1), { exit: 0 }, "beside the long one");
  writeFileSync(first!, "");
  await low.attachment.waitForDone("long");
});

t.test("a chunk that waits for a file keeps the GPU that another chunk of its run is using", async (t) => {
  const directory = new Directory(t);
  const low = await attachAgent(t, { run: "low", slots: share("files", 2) });
  const other = await attachAgent(t, { run: "other", slots: share("files", 1) });
  low.attachment.start(
    "first",
    directory.spec(["results/x.json"]),
    [gated(directory, "date +%s%N; : > results/x.json")],
    0,
  );
  await begun(directory);
  low.attachment.start("waits", directory.spec(["results/x.json"]), [": > results/x.json"], 1);
  await low.attachment.waitFor(
    (one) => one.ev === "problem" && /another attempt on this node writes/.test(one.message),
  );
  other.attachment.start("other", {}, ["date +%s%N"], 0);
  t.match(await other.attachment.waitFor(isAbout(0)), { holder: "low" });
  await wait(1500);
  directory.write("gate", "");
  const [first, later] = [await low.attachment.waitForDone("first"), await other.attachment.waitForDone("other")];
  t.ok(BigInt(decodeInline(first.stdout)) < BigInt(decodeInline(later.stdout)));
  t.match(await low.attachment.waitForDone("waits"), { exit: 0 });
});

t.test("chunks that share a GPU end at the same time for a run of higher priority", async (t) => {
  const low = await attachAgent(t, { run: "low", slots: share("together", 2) });
  const high = await attachAgent(t, { run: "high", slots: share("together", 1), priority: 5 });
  const spec = { state: { every: 3600, limit: 10_000 }, grace: 3 };
  low.attachment.start("early", spec, ["sleep 60"], 0);
  await low.attachment.waitFor(isStart("early"));
  await wait(3000);
  low.attachment.start("late", spec, ["sleep 60"], 1);
  await low.attachment.waitFor(isStart("late"));
  high.attachment.start("high", {}, ["true"], 0);
  const [early, late] = [await low.attachment.waitForDone("early"), await low.attachment.waitForDone("late")];
  t.match([early, late], [{ preempted: { run: "high" } }, { preempted: { run: "high" } }]);
  t.ok(
    early.seconds - late.seconds > 2.5,
    `the first one ran for ${early.seconds} s, the second for ${late.seconds} s`,
  );
  t.match(await high.attachment.waitForDone("high"), { exit: 0 });
});

t.test("hello names the locks of the slots, and a slot keeps its own until the agent ends", async (t) => {
  const slots = (name: string) => [{ slot: 0, env: { CARD: name }, lock: `${name}-${process.pid}` }];
  const { folder, hello } = await attachAgent(t, { slots: slots("one") });
  t.same(hello.locks, {});
  const again = new AgentAttachment(folder);
  t.same((await again.open({ slots: slots("two") })).locks, { 0: `one-${process.pid}` });
  t.equal(decodeInline((await again.run("a", 'printf %s "$CARD"')).stdout), "one");
});
