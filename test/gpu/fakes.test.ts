import { readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { LabNode } from "../lab/lab.js";
import { shareLab } from "../lab/sharedlab.js";
import { lacksCompiler, prepareNode, runSuite } from "./suiterun.js";

t.test("nvidia", async (t) => {
  const { skip: lack, nodes } = await shareLab(
    t,
    { nodes: ["zeus", "hera"], gpus: 2, vendor: "nvidia" },
    "looking into nodes",
  );
  const skip = lack || lacksCompiler;
  const [node, other] = nodes as [LabNode, LabNode];

  t.test("every check passes, or says what is lacking", { skip }, async (t) => {
    await Promise.all([prepareNode(node, "nvidia"), prepareNode(other, "nvidia")]);
    // Most of that check is waiting, so it has a node of its own.
    const [most, holder] = await Promise.all([runSuite(node, "--without", "holder"), runSuite(other, "holder")]);
    t.equal(most.exit, 0, most.out);
    t.equal(holder.exit, 0, holder.out);
    const outcomes = { ...most.outcomes, ...holder.outcomes };
    const skipped = ["binding-cupy", "binding-torch", "startup"];
    const wanted = Object.keys(outcomes).map((check) => [check, skipped.includes(check) ? "skipped" : "ok"]);
    t.same(outcomes, Object.fromEntries(wanted), most.out);
    t.equal(Object.keys(outcomes).length, 21, most.out);
    t.match(holder.out, /^ok +holder .*held by pid \d+ \(python3\)/m);
    t.same(await node.quiet(20), [], "no process is left");
    t.same(readdirSync(join(node.root, "dev/shm")), [], "nor the mark of `muster provision`");
  });

  t.test("a record that cannot be written is said before the checks", { skip }, async (t) => {
    const { exit, out } = await runSuite(other, "facts", "--record", "/nowhere/record.txt");
    t.equal(exit, 64);
    t.equal(out, "test/gpu/run: /nowhere/record.txt: No such file or directory\n");
  });
});

t.test("amd", async (t) => {
  const { skip: lack, nodes } = await shareLab(t, { nodes: ["rig"], gpus: 2, vendor: "amd" }, "looking into nodes");
  const skip = lack || lacksCompiler;

  t.test("cards are found and bound; sysfs of the lab has no memory that is in use", { skip }, async (t) => {
    const node = nodes[0]!;
    await prepareNode(node, "amd");
    const { exit, outcomes, out } = await runSuite(
      node,
      "facts",
      "health",
      "library",
      "binding",
      "vram",
      "sieve-hits",
      "fault",
      "power",
    );
    t.equal(exit, 0, out);
    const ok = { facts: "ok", health: "ok", binding: "ok", vram: "ok", "sieve-hits": "ok", fault: "ok", power: "ok" };
    t.same(outcomes, { ...ok, library: "skipped" }, out);
  });

  t.test("a machine without a GPU is told so", { skip }, async (t) => {
    const node = nodes[0]!;
    node.setGpus({ absent: [0, 1] });
    const { exit, out } = await runSuite(node);
    t.equal(exit, 69);
    t.match(out, "no GPU of NVIDIA or AMD with a driver");
  });
});
