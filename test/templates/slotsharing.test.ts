import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { DoneMessage, OpenCommand } from "../../executor/run/agent/protocol.js";
import { waitUntil } from "../lab/waituntil.js";
import { type AgentAttachment, attachAgent, decodeInline } from "./agentdriver.js";

t.setTimeout(600_000);

/** A folder in which all chunks of a test mark when they are at work, and how many they have seen. */
class Census {
  readonly folder = mkdtempSync(join(realpathSync(tmpdir()), "census-"));

  constructor(t: Test) {
    t.teardown(() => rmSync(this.folder, { recursive: true }));
  }

  /** A program that is at work for some seconds, counts under a lock, and prints when it began and ended (ns, monotonic). */
  chunk(seconds: number): string {
    return `exec python3 -ISc '
import fcntl, os, sys, time
began = time.monotonic_ns()
os.chdir("${this.folder}")
def count(change):
    with open("now", "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        now = int(file.read() or 0) + change
        file.truncate(0)
        file.write(str(now))
        file.flush()
        with open("seen", "a") as seen: seen.write(f"{now} ")
count(1)
time.sleep(${seconds})
count(-1)
print(began, time.monotonic_ns())'`;
  }

  /** The most chunks that were at work at once. */
  get most(): number {
    return Math.max(...this.seen);
  }

  /** How many were at work, after each start and end. */
  get seen(): number[] {
    return readFileSync(join(this.folder, "seen"), "utf8").trim().split(" ").map(Number);
  }
}

const cpuSlots = (count: number): OpenCommand["slots"] =>
  Array.from({ length: count }, (_, slot) => ({ slot, env: {}, lock: `cpu-${slot}` }));
const gpuSlots = (...gpus: number[]): OpenCommand["slots"] =>
  gpus.map((gpu, slot) => ({ slot, env: {}, lock: `sharing-${process.pid}-${gpu}` }));

/** Starts `count` chunks, in turn on each of the slots. */
function startChunks(
  attachment: AgentAttachment,
  name: string,
  script: string,
  count: number,
  slots: number,
): string[] {
  const ids = Array.from({ length: count }, (_, index) => `${name}${index}`);
  for (const [index, id] of ids.entries()) attachment.start(id, {}, [script], index % slots);
  return ids;
}

/** Waits for chunks to end well, and returns when each began and ended, in seconds. */
async function spansOf(attachment: AgentAttachment, ids: string[]): Promise<[number, number][]> {
  const done = await Promise.all(ids.map((id) => waitForDone(attachment, id)));
  return done.map(
    ({ stdout }) =>
      decodeInline(stdout)
        .trim()
        .split(" ")
        .map((ns) => Number(ns) / 1e9) as [number, number],
  );
}

async function waitForDone(attachment: AgentAttachment, id: string): Promise<DoneMessage> {
  const done = (await attachment.waitFor((one) => one.ev === "done" && one.id === id, 60)) as DoneMessage;
  if (done.exit !== 0) throw new Error(`${id}: ${JSON.stringify(done)}`);
  return done;
}

/** The share of the time between the first start and the last end, of `slots` slots, that chunks used. */
function busyShare(spans: [number, number][], slots: number): number {
  const span = Math.max(...spans.map(([, to]) => to)) - Math.min(...spans.map(([from]) => from));
  return spans.reduce((sum, [from, to]) => sum + to - from, 0) / (span * slots);
}

t.test("two runs share the CPU slots of a node", async (t) => {
  const census = new Census(t);
  const [first, second] = [
    await attachAgent(t, { run: "alpha", slots: cpuSlots(3) }),
    await attachAgent(t, { run: "beta", slots: cpuSlots(3) }),
  ];
  const ofFirst = startChunks(first.attachment, "a", census.chunk(0.4), 42, 3);
  await first.attachment.waitFor((one) => one.ev === "started");
  const ofSecond = startChunks(second.attachment, "b", census.chunk(0.4), 42, 3);
  t.match(await second.attachment.waitFor((one) => one.ev === "slot"), { holder: "alpha", foreign: undefined });
  const spans = [await spansOf(first.attachment, ofFirst), await spansOf(second.attachment, ofSecond)] as const;
  t.equal(census.most, 3, "all slots were at work at once, and no more");
  t.ok(
    spans[1].some(([from]) => spans[0].some(([, to]) => from < to)),
    "the second had its turn before the first was done",
  );
  const share = busyShare(spans.flat(), 3);
  t.comment(`busy ${(100 * share).toFixed(0)} %`);
  t.ok(share > 0.5, `the slots were busy ${(100 * share).toFixed(0)} % of the time`);
});

t.test("a run with fewer slots shares those that it has", async (t) => {
  const census = new Census(t);
  const [wide, narrow] = [
    await attachAgent(t, { run: "wide", slots: cpuSlots(3) }),
    await attachAgent(t, { run: "narrow", slots: cpuSlots(1) }),
  ];
  const ofWide = startChunks(wide.attachment, "a", census.chunk(0.3), 30, 3);
  const ofNarrow = startChunks(narrow.attachment, "b", census.chunk(0.3), 4, 1);
  await spansOf(narrow.attachment, ofNarrow);
  await spansOf(wide.attachment, ofWide);
  t.equal(census.most, 3);
});

t.test("a killed agent frees its CPU slots and permits at once", async (t) => {
  const settings = { slots: cpuSlots(2), max: 1 };
  const killed = await attachAgent(t, { run: "killed", ...settings });
  const other = await attachAgent(t, { run: "other", ...settings });
  startChunks(killed.attachment, "a", "sleep 600", 2, 2);
  await killed.attachment.waitFor((one) => one.ev === "started");
  startChunks(other.attachment, "b", "sleep 0.1", 2, 2);
  await other.attachment.waitFor((one) => one.ev === "slot" && one.holder === "killed");
  const began = performance.now();
  process.kill(killed.hello.pid, "SIGKILL");
  for (const id of ["b0", "b1"]) await waitForDone(other.attachment, id);
  t.comment(`two chunks after ${Math.round(performance.now() - began)} ms`);
  t.ok(performance.now() - began < 20_000, "before a lease of 30 s ends");
});

t.test("slots that were withdrawn are reported free once the other run has left", async (t) => {
  const [first, second] = [
    await attachAgent(t, { run: "alpha", slots: cpuSlots(2) }),
    await attachAgent(t, { run: "beta", slots: cpuSlots(2) }),
  ];
  const go = join(first.folder.root, "go");
  startChunks(first.attachment, "a", `until [ -e ${go} ]; do sleep 0.1; done`, 2, 2);
  await first.attachment.waitFor((one) => one.ev === "started");
  startChunks(second.attachment, "b", "true", 2, 2);
  for (const slot of [0, 1]) await second.attachment.waitFor((one) => one.ev === "slot" && one.slot === slot);
  second.attachment.send({ op: "withdraw", ids: ["b0"] });
  t.match(await second.attachment.waitForDone("b0"), { cancelled: true });
  writeFileSync(go, "");
  await waitForDone(second.attachment, "b1");
  t.match(await second.attachment.waitFor((one) => one.ev === "slot" && one.slot === 0), { holder: undefined });
});

t.test("max_concurrent holds for runs on different GPUs together", async (t) => {
  const census = new Census(t);
  const [first, second] = [
    await attachAgent(t, { run: "alpha", slots: gpuSlots(0, 1), max: 2 }),
    await attachAgent(t, { run: "beta", slots: gpuSlots(2, 3), max: 2 }),
  ];
  const ofFirst = startChunks(first.attachment, "a", census.chunk(0.4), 28, 2);
  await first.attachment.waitFor((one) => one.ev === "started");
  const ofSecond = startChunks(second.attachment, "b", census.chunk(0.4), 28, 2);
  t.match(await second.attachment.waitFor((one) => one.ev === "slot"), { holder: "alpha" });
  const spans = [await spansOf(first.attachment, ofFirst), await spansOf(second.attachment, ofSecond)] as const;
  t.equal(census.most, 2);
  t.ok(
    spans[1].some(([from]) => spans[0].some(([, to]) => from < to)),
    "the second had its turn before the first was done",
  );
  const share = busyShare(spans.flat(), 2);
  t.comment(`busy ${(100 * share).toFixed(0)} %`);
  t.ok(share > 0.5, `the permits were used ${(100 * share).toFixed(0)} % of the time`);
});

t.test("permits of a run whose work goes back serve another run that has slots left", async (t) => {
  const census = new Census(t);
  const [first, second] = [
    await attachAgent(t, { run: "alpha", slots: gpuSlots(0, 1, 2), max: 3 }),
    await attachAgent(t, { run: "beta", slots: gpuSlots(3, 4, 5), max: 3 }),
  ];
  const ofFirst = startChunks(first.attachment, "a", census.chunk(0.3), 54, 3);
  await first.attachment.waitFor((one) => one.ev === "started");
  const ofSecond = startChunks(second.attachment, "b", census.chunk(0.3), 6, 1);
  await spansOf(second.attachment, ofSecond);
  const spans = await spansOf(first.attachment, ofFirst);
  t.equal(census.most, 3);
  const share = (54 * 0.3 + 6 * 0.3) / 3 / (Math.max(...spans.map(([, to]) => to)) - spans[0]![0]);
  t.ok(share > 0.6, `the permits were used ${(100 * share).toFixed(0)} % of the time`);
});

t.test("a run of higher priority gets a GPU although runs between them use all permits", async (t) => {
  const open = (run: string, priority: number, ...gpus: number[]) =>
    attachAgent(t, { run, priority, slots: gpuSlots(...gpus), max: 1 });
  const [middle, low] = [await open("middle", 5, 1), await open("low", 0, 0)];
  startChunks(middle.attachment, "m", "sleep 0.3", 100, 1);
  await middle.attachment.waitFor((one) => one.ev === "started");
  startChunks(low.attachment, "l", "true", 3, 1); // has GPU 0, and waits for the permit
  await low.attachment.waitFor((one) => one.ev === "slot" && one.holder === "middle");
  const high = await open("high", 9, 0);
  startChunks(high.attachment, "h", "true", 3, 1);
  for (const id of ["h0", "h1", "h2"]) await waitForDone(high.attachment, id);
  t.notOk(middle.attachment.messages.some((one) => one.ev === "done" && one.id === "m99"));
});

t.test("locks do not make a circle: runs that need each other's slots and permits all end", async (t) => {
  const census = new Census(t);
  const runs = await Promise.all(
    [0, 1, 2].map((index) =>
      attachAgent(t, {
        run: `run${index}`,
        priority: index % 2,
        slots: gpuSlots(index, (index + 1) % 3, (index + 2) % 3),
        max: index === 2 ? 1 : 2,
      }),
    ),
  );
  const all = runs.map(({ attachment }, index) => startChunks(attachment, `r${index}-`, census.chunk(0.05), 45, 3));
  for (const [index, ids] of all.entries()) await spansOf(runs[index]!.attachment, ids);
  t.ok(census.most <= 2, `at most 2 at once: ${census.most}`);
});

t.test("no lock file is left", async (t) => {
  const folder = process.env.MUSTER_LOCK_FOLDER;
  if (folder === undefined) return void t.pass("other runs may use this folder", { skip: "not started by test/run" });
  const left = () => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  };
  await waitUntil("the agents are gone", () => left().length === 0);
  t.same(left(), []);
});
