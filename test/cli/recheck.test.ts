import t from "tap";
import { lacking } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, lab } = await shareLab(t, { nodes: 2, vendor: "none" });
const machines = lacking("looking into nodes");

interface Reported {
  state: string;
  canary: {
    compared: number;
    differing: { chunk: string; first: { node: string }; second: { node: string }; what: string }[];
  };
}

/** Computes a square, with the error that the file /tmp/off of the node contains. */
const WORKER = `import json, os, sys, time
off = float(open("/tmp/off").read()) if os.path.exists("/tmp/off") else 0
print("on", os.uname().nodename)
time.sleep(float(sys.argv[2]))
json.dump({"square": int(sys.argv[1]) ** 2 + off}, open("r.json", "w"))
`;

function job(name: string, more: object, seconds = 0): string {
  shop.write(`${name}/w.py`, WORKER);
  const chunks = {
    kind: "matrix",
    matrix: { n: [0, 20] },
    script: "w.py",
    args: ["{n}", `${seconds}`],
    outputs: ["r.json"],
  };
  return shop.write(`${name}/job.yaml`, { name, ...chunks, ...more });
}

const summary = (name: string) => shop.json<Reported>(`${name}/runs/${name}/summary.json`);

async function setOff(by: string | undefined): Promise<void> {
  const [, node] = lab.nodes;
  await node!.exec(by === undefined ? ["rm", "-f", "/tmp/off"] : ["sh", "-c", 'echo "$1" > /tmp/off', "sh", by]);
}

t.test("equal results: each chunk is computed twice and published once", { skip }, async (t) => {
  const ran = await runMuster(["run", job("same", { canary: "100%" }), "-i", lab.inventory()]);
  t.equal(ran.code, 0, ran.err);
  t.match(ran.out, /20 chunks computed twice, 0 with a different result/);
  t.equal(shop.results("same/runs/same").length, 20);
  t.match(summary("same"), {
    state: "complete",
    canary: { compared: 20, unchecked: 0, differing: [] },
    chunks: { done: 20 },
  });
});

t.test(
  "a node with different results: both nodes are reported, the first result is kept, exit 3, also when resumed",
  { skip: machines },
  async (t) => {
    await setOff("0.5");
    for (const collect of ["files", "lines"]) {
      const file = job(`off-${collect}`, { canary: { share: "30%" }, collect });
      const ran = await runMuster(["run", file, "-i", lab.inventory()]);
      t.equal(ran.code, 3, ran.err);
      const { state, canary } = summary(`off-${collect}`);
      t.equal(state, "partial");
      t.ok(canary.compared < 20 && canary.differing.length > 0);
      for (const { first, second, what } of canary.differing) {
        t.not(first.node, second.node);
        t.match(what, /^r\.json: SHA-256 /);
      }
      const { chunk, first, second } = canary.differing[0]!;
      t.match(
        ran.out,
        new RegExp(
          `results differ: chunk ${chunk} on ${first.node} slot \\d \\(kept\\) and on ${second.node} slot \\d`,
        ),
      );
      t.equal(shop.results(`off-${collect}/runs/off-${collect}`).find((one) => one.chunk === chunk)?.node, first.node);
      const again = await runMuster(["run", file, "-i", lab.inventory()]);
      t.equal(again.code, 3, again.err);
      t.same(summary(`off-${collect}`).canary, { ...canary, unchecked: 0 });
    }
    await setOff(undefined);
  },
);

t.test("numbers within the tolerance are equal, others are not", { skip: machines }, async (t) => {
  await setOff("0.00001");
  const near = await runMuster([
    "run",
    job("near", { canary: { share: "100%", tolerance: 1e-3 } }),
    "-i",
    lab.inventory(),
  ]);
  t.equal(near.code, 0, near.err);
  t.equal(summary("near").canary.compared, 20);
  const far = await runMuster([
    "run",
    job("far", { canary: { share: "100%", tolerance: 1e-12 } }),
    "-i",
    lab.inventory(),
  ]);
  t.equal(far.code, 3, far.err);
  t.match(summary("far").canary.differing[0]?.what, /^r\.json: square is [\d.]+ and [\d.]+/);
  await setOff(undefined);
});

t.test("with a single slot nothing is computed again, which is logged once", { skip }, async (t) => {
  const [node] = lab.nodes;
  const inventory = lab.inventory({ file: "one.yaml", node: { slots: 1 } });
  const ran = await runMuster(["run", job("alone", { canary: "100%" }), "-i", inventory, "--limit", node!.name]);
  t.equal(ran.code, 0, ran.err);
  t.equal(ran.err.match(/recheck: chunk n=\d+ is not computed again: there is one slot only/g)?.length, 1, ran.err);
  t.match(ran.out, /0 chunks computed twice, 0 with a different result, 20 chunks could not be compared/);
});

t.test("after a coordinator is killed, the next one rechecks the rest, and nothing twice", { skip }, async (t) => {
  const file = job("killed", { canary: "100%" }, 0.2);
  const child = startMuster(["run", file, "-i", lab.inventory()]);
  const end = waitForExit(child);
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      try {
        if (shop.results("killed/runs/killed").length < 6) return;
      } catch {
        return;
      }
      clearInterval(timer);
      resolve();
    }, 50);
  });
  child.kill("SIGKILL");
  await end;
  const ran = await runMuster(["run", file, "-i", lab.inventory()]);
  t.equal(ran.code, 0, ran.err);
  t.equal(shop.results("killed/runs/killed").length, 20);
  t.match(summary("killed"), { state: "complete", canary: { compared: 20, differing: [] } });
  for (const node of lab.nodes) t.same(await node.quiet(20), []);
});
