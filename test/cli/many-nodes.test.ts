import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { checkNodes, checkResults } from "../faults/checks.js";
import { KnownJob, watchMuster } from "../faults/knownjob.js";
import { findFreePort } from "../lab/ports.js";
import { DelayingProxy } from "../lab/proxy.js";
import { addRefusingNodes } from "../lab/refusingnodes.js";
import { lacking } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster } from "./startmuster.js";

const REFUSING = 190;
const { skip, shop, lab, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 0 });
const machines = lacking("looking into nodes");
const many = skip ? "" : addRefusingNodes(inventory, join(lab.folder, "many.yaml"), REFUSING);

/**
 * Compares the time of `work` on the two nodes alone and beside nodes that refuse. The limit is generous for busy machines: three
 * attempts per refusing node, eight nodes at a time, took 25 s more.
 */
async function compare(t: Test, work: (inventory: string) => Promise<unknown>) {
  const seconds: number[] = [];
  for (const file of [inventory, many]) {
    const began = performance.now();
    await work(file);
    seconds.push((performance.now() - began) / 1000);
  }
  const [alone, beside] = seconds as [number, number];
  t.ok(beside < 3 * alone + 6, `${alone.toFixed(1)} s alone, ${beside.toFixed(1)} s with ${REFUSING} that refuse`);
}

t.test("nodes that refuse connections are reported quickly, in the order of the inventory", { skip }, async (t) => {
  await compare(t, async (file) => {
    const ran = await runMuster(["nodes", "-i", file, "--json"]);
    const found = JSON.parse(ran.out).nodes as { node: string; usable: boolean; code?: string }[];
    if (file === inventory) return t.equal(ran.code, 0, ran.err);
    t.equal(ran.code, 3, ran.err);
    t.same(
      found.map(({ node }) => node),
      [...Array.from({ length: REFUSING }, (_, index) => `off${index + 1}`), "node1", "node2"],
    );
    t.same(found.filter(({ code }) => code === "UNREACHABLE").length, REFUSING);
    t.equal(found.filter(({ usable }) => usable).length, 2);
  });
});

t.test("verify checks the nodes that answer, and names the others", { skip }, async (t) => {
  await compare(t, async (file) => {
    const ran = await runMuster(["verify", "python", "-v", "-i", file]);
    t.equal(ran.code, file === inventory ? 0 : 3, ran.err);
    if (file === inventory) return;
    t.match(ran.out, new RegExp(`${REFUSING + 2} nodes: .*${REFUSING} nodes unreachable`));
    t.match(ran.out, /\noff190 [\s\S]*\nnode1 .*\nnode2 /, "the order is that of the inventory");
  });
});

t.test("a run uses the nodes that answer", { skip }, async (t) => {
  await compare(t, async (file) => {
    const job = new KnownJob(shop, file === inventory ? "alone" : "beside", { chunks: 12 });
    const ran = await job.muster(["-i", file]);
    t.equal(ran.code, 0, ran.err);
    checkResults(t, job);
  });
});

t.test("while a node does not answer, the results of the others are shown", { skip: machines }, async (t) => {
  await nodes[0]!.cutOff();
  t.teardown(() => nodes[0]!.heal());
  for (const words of [["nodes"], ["verify", "python", "-v"]]) {
    const verb = watchMuster(startMuster([...words, "-i", inventory]));
    await waitUntil("node2 is shown", () => verb.stderr().includes("node2: "));
    await waitUntil("node1 is waited for", () => verb.stderr().includes("waiting for 1 node: node1\n"));
    t.equal(verb.child.exitCode, null);
    const ran = await verb.ended;
    t.equal(ran.code, 3, ran.err);
    t.match(
      ran.err,
      /^node2: .*\n(waiting for 1 node: node1\n)+node1: connect to \S+: connection timed out after \d+ s\n$/,
    );
    t.match(ran.out, /^node .*\nnode1 [\s\S]*\nnode2 /, "the result is in the order of the inventory");
  }
});

t.test("a node that refuses connections while it boots gets work later in the run", { skip: machines }, async (t) => {
  const [first, second] = [nodes[0]!, nodes[1]!];
  const port = await findFreePort("127.0.0.1");
  const known = join(lab.folder, "known_hosts_booting");
  writeFileSync(known, "");
  const login = { host: "127.0.0.1", port, known_hosts: known, host_keys: "accept-new" };
  const file = lab.inventory({ file: "booting.yaml", nodes: { node2: login } });
  const job = new KnownJob(shop, "booting", { chunks: 8, gate: true });
  const run = job.start(["-i", file]);
  await waitUntil("node2 refuses", () => run.stderr().includes("node2: away"));
  await waitUntil("node1 works", () => job.listRunning([first]).length > 0);
  const sshd = await DelayingProxy.start(second, 0, port);
  t.teardown(() => sshd.stop());
  await waitUntil("node2 works, too", () => job.listRunning([second]).length > 0);
  job.openGate([first, second]);
  const ran = await run.ended;
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  await checkNodes(t, [first, second]);
});
