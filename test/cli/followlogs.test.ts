import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { startInTerminal } from "./pseudoterminal.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

t.setTimeout(600_000);
const { skip, nodes, shop, inventory } = await shareLab(t, { nodes: 2 }, "names of their own");
const options = { cwd: shop.folder };

/** Prints, waits for the file `go-NAME` in the home folder of its node, and prints again. */
const gated = (name: string, end = "true") =>
  `echo "$(hostname) begins"; echo warning >&2; while [ ! -e ~/go-${name} ]; do sleep 0.1; done; echo ends; ${end}`;
const open = (name: string) => Promise.all(nodes.map((node) => node.exec(["touch", `/root/go-${name}`])));

function writeJob(name: string, tasks: Record<string, string>, keys: object = {}): string {
  const list = Object.entries(tasks).map(([id, script]) => ({ id, command: ["sh", "-c", script] }));
  return shop.write(`${name}.json`, { name, kind: "tasks", tasks: list, ...keys });
}

function run(job: string, ...words: string[]) {
  const child = startMuster(["run", job, "-i", inventory, ...words], options);
  return { child, ended: waitForExit(child) };
}

/** Starts `muster logs`, and gathers what it prints. */
function follow(...words: string[]) {
  return gather(startMuster(["logs", ...words], options));
}

function gather(child: ChildProcess) {
  const printed = { out: "", err: "" };
  child.stdout!.on("data", (bytes) => {
    printed.out += bytes;
  });
  child.stderr!.on("data", (bytes) => {
    printed.err += bytes;
  });
  return { child, printed, ended: waitForExit(child) };
}

const isLive = (name: string) => waitUntil("it runs", () => existsSync(join(shop.folder, "runs", name, "live.json")));

t.test("a failure is named while the run goes on, although no other chunk is done", { skip }, async (t) => {
  const ran = run(writeJob("early", { a: gated("early"), b: "exit 3" }, { retry: { attempts: 1 } }));
  await isLive("early");
  const live = join(shop.folder, "runs/early/live.json");
  await waitUntil("b has failed, and a runs", () => {
    const { chunks, running } = JSON.parse(readFileSync(live, "utf8"));
    return chunks.failed === 1 && running === 1;
  });
  const logs = (...words: string[]) => runMuster(["logs", "early", ...words], options);
  t.match(await logs("--failed"), { code: 0, out: /^failed: chunk b on node\d slot \d, attempt 1: exit code 3/ });
  t.match(await logs("a"), { code: 0, err: /chunk a runs on node\d slot \d[^\n]*\n +muster logs early a -f shows/ });
  await open("early");
  t.equal((await ran.ended).code, 3);
  t.match(await logs("--failed"), { code: 0, out: /^failed: chunk b on node\d slot \d, attempt 1: exit code 3/ });
});

t.test(
  "one chunk, and all of them, are shown while they run, and nothing of the run is disturbed",
  { skip },
  async (t) => {
    const ran = run(writeJob("two", { a: gated("a"), b: gated("b", "exit 3") }, { retry: { attempts: 1 } }));
    await isLive("two");
    const one = follow("two", "a", "-f");
    const all = follow("two", "-f");
    await waitUntil("a is shown", () => one.printed.out.includes("begins") && one.printed.out.includes("warning"));
    await waitUntil(
      "both are shown",
      () => /^a: node\d begins$/m.test(all.printed.out) && /^b: warning$/m.test(all.printed.out),
    );
    t.notOk(one.printed.out.includes("ends"), "it still runs");
    await open("a");
    const first = await one.ended;
    t.equal(first.code, 0, first.err);
    t.match(first.out, /^ends$/m);
    t.match(first.err, /chunk a: runs on node\d slot \d\n(.*\n)*chunk a: done on node\d slot \d\n$/);
    await open("b");
    const both = await all.ended;
    t.equal(both.code, 0, both.err);
    t.match(both.err, /chunk b: failed \(exit code 3\) on node\d slot \d/);
    t.equal(both.out.match(/^[ab]: ends$/gm)?.length, 2);
    t.equal((await ran.ended).code, 3);
    t.equal(readFileSync(join(shop.folder, "runs/two/logs/a.err"), "utf8"), "warning\n");
    t.match(await follow("two", "a", "-f", "--out", "--tail", "1").ended, { code: 0, out: "ends\n", err: "" });
    t.match(await follow("two", "-f").ended, { code: 0, out: "", err: "two: no chunk of this run is running\n" });
  },
);

t.test("without a coordinator, from all nodes that hold something", { skip }, async (t) => {
  const ran = run(writeJob("left", { a: gated("left-a"), b: gated("left-b") }));
  await isLive("left");
  const before = follow("left", "a", "-f", "--err");
  await waitUntil("a is shown", () => before.printed.out.includes("warning"));
  ran.child.kill("SIGKILL");
  await ran.ended;
  const after = follow("left", "a", "-f", "--out");
  await waitUntil("a is shown", () => after.printed.out.includes("begins"));
  await open("left-a");
  t.match(await before.ended, { code: 0, out: "warning\n" });
  t.match(await after.ended, { code: 0, out: /begins\nends\n$/ });
  const held = await follow("left", "a", "-f", "--out").ended;
  t.match(held, { code: 0, out: /begins\nends\n$/ }, "it has ended, and was not collected");
  await open("left-b");
  t.match(await follow("left", "-f").ended, { code: 0, out: /^b: ends$/m });
  t.match(await run(join(shop.folder, "left.json")).ended, { code: 0 });
});

t.test("a connection that breaks is made again, and the output continues where it was", { skip }, async (t) => {
  const count = "n=0; while [ ! -e ~/go-cut ]; do echo $n; n=$((n + 1)); sleep 0.02; done; echo end";
  const ran = run(writeJob("cut", { a: count }));
  await isLive("cut");
  const one = follow("cut", "a", "-f");
  await waitUntil("a is shown", () => one.printed.out.includes("\n9\n"));
  for (const node of nodes) await node.dropConnections();
  await waitUntil("it is noticed", () => one.printed.err.includes("trying again"));
  const shown = one.printed.out.length;
  await waitUntil("it is shown again", () => one.printed.out.length > shown + 20);
  await open("cut");
  const { code, out } = await one.ended;
  t.equal(code, 0);
  const lines = out.trimEnd().split("\n");
  t.equal(lines.pop(), "end");
  t.same(
    lines,
    lines.map((_, n) => `${n}`),
    "nothing is left out, nothing comes twice",
  );
  t.equal((await ran.ended).code, 0);
});

t.test("a node that is away is not waited for where no coordinator is alive", { skip }, async (t) => {
  const ran = run(writeJob("away", { a: gated("away") }), "--limit", "node2");
  await isLive("away");
  const one = follow("away", "a", "-f");
  await waitUntil("a is shown", () => one.printed.out.includes("begins"));
  ran.child.kill("SIGKILL");
  await nodes[1]!.powerOff();
  one.child.kill("SIGINT");
  t.equal((await one.ended).code, 130);
  await nodes[1]!.powerOn();
  await nodes[1]!.rekey();
  const none = await follow("away", "a", "-f").ended;
  t.equal(none.code, 3);
  t.match(none.err, /node2: .*HOST KEY HAS CHANGED/s);
});

t.test("a reader that closes the pipe ends it; control characters do nothing to a terminal", { skip }, async (t) => {
  const hostile =
    "printf 'a\\033[2J\\r50 %%\\r\\n\\342\\200\\256x\\n'; while [ ! -e ~/go-tty ]; do sleep 0.05; echo more; done";
  const ran = run(writeJob("tty", { a: hostile }), "--limit", "node1");
  await isLive("tty");
  const closed = follow("tty", "-f");
  await waitUntil("a is shown", () => closed.printed.out !== "");
  closed.child.stdout!.destroy();
  t.equal((await closed.ended).code, 0);
  const terminal = gather(startInTerminal(["logs", "tty", "a", "-f", "-q"], options));
  await waitUntil("a is shown", () => terminal.printed.out.includes("more"));
  t.match(terminal.printed.out, "a\\x1b[2J\r50 %\r\r\n\\u{202e}x\r\n");
  await open("tty");
  t.equal((await terminal.ended).code, 0);
  t.equal((await ran.ended).code, 0);
});

t.test("wrong usage, and names that match nothing", { skip }, async (t) => {
  const logs = (...words: string[]) => runMuster(["logs", ...words], options);
  t.match(await logs("two"), { code: 64, err: /name a chunk, or add --failed, or -f/ });
  t.match(await logs("two", "-f", "--json"), { code: 64, err: /-f .* neither --try nor --json/ });
  t.match(await logs("two", "-f", "--try", "1", "a"), { code: 64 });
  t.match(await logs("two", "--failed", "-f"), { code: 64 });
  t.match(await logs("two", "a", "--node", "node1"), { code: 64, err: /Add -f or --failed/ });
  t.match(await logs("two", "-f", "--node", "other"), { code: 64, err: /no node or tag is called "other"/ });
  t.match(await logs("two", "a", "--tail", "few"), { code: 64, err: /--tail few: is not a number of lines/ });
  t.match(await logs("two", "x", "-f"), { code: 64, err: /chunk "x" does not exist/ });
  t.match(await logs("nothing", "-f"), { code: 64, err: /neither a run directory/ });
  t.match(await logs("two", "--failed", "--node", "node*", "--tail", "1"), {
    code: 0,
    out: /chunk b .*\n {4}warning\n$/,
  });
});
