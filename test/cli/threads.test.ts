import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

const { skip, shop, lab } = await shareLab(t, { nodes: 2, gpus: 0 });

const WORKER = `import json, os, sys, time
begin = time.monotonic()
time.sleep(float(sys.argv[1]))
names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"]
json.dump({"cores": len(os.sched_getaffinity(0)), "arg": sys.argv[2], "env": [os.environ.get(name) for name in names],
           "begin": begin, "end": time.monotonic()}, open("r.json", "w"))
`;

interface Report {
  cores: number;
  arg: string;
  env: (string | null)[];
  begin: number;
  end: number;
}

function writeJob(name: string, seconds: number, change: object): string {
  shop.write(`${name}/w.py`, WORKER);
  const job = { kind: "shards", shards: 4, script: "w.py", args: [`${seconds}`, "j{cores}"], outputs: ["r.json"] };
  return shop.write(`${name}/job.yaml`, { name, ...job, collect: "lines", ...change });
}

const reports = (name: string) => shop.results(`${name}/runs/${name}`).map(({ output }) => output as Report);

t.test("programs see their share of the cores of their node", { skip }, async (t) => {
  const inventory = lab.inventory({
    file: "shares.yaml",
    nodes: { node1: { slots: 1 }, node2: { slots: 16, max_concurrent: 16 } },
  });
  for (const [node, share] of [
    ["node1", (cores: number) => cores],
    ["node2", (cores: number) => Math.max(1, Math.floor(cores / 16))],
  ] as const) {
    const ran = await runMuster(["run", writeJob(node, 0, {}), "-i", inventory, "--limit", node]);
    t.equal(ran.code, 0, ran.err);
    t.equal(reports(node).length, 4);
    for (const { cores, arg, env } of reports(node)) {
      const wanted = `${share(cores)}`;
      t.same([arg, ...env], [`j${wanted}`, wanted, wanted, wanted], node);
    }
  }
});

t.test("a job, or the inventory, may set OMP_NUM_THREADS itself", { skip }, async (t) => {
  const ofNode = lab.inventory({ file: "set.yaml", node: { env: { OMP_NUM_THREADS: "11" } } });
  const table: [name: string, change: object, inventory: string, omp: string][] = [
    ["byjob", { env: { OMP_NUM_THREADS: "13" } }, lab.inventory(), "13"],
    ["bynode", {}, ofNode, "11"],
  ];
  for (const [name, change, inventory, omp] of table) {
    const ran = await runMuster(["run", writeJob(name, 0, change), "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    for (const { env } of reports(name)) t.same(env, [omp, null, null], name);
  }
});

t.test("needs.cores limits how many chunks a node runs at once", { skip }, async (t) => {
  const inventory = lab.inventory();
  const probe = await runMuster(["run", writeJob("probe", 0, { shards: 1 }), "-i", inventory]);
  t.equal(probe.code, 0, probe.err);
  const { cores } = reports("probe")[0]!;
  const job = writeJob("whole", 0.3, { needs: { cores } });
  const ran = await runMuster(["run", job, "-i", inventory, "--limit", "node1"]);
  t.equal(ran.code, 0, ran.err);
  const sorted = reports("whole").sort((one, other) => one.begin - other.begin);
  t.equal(sorted.length, 4);
  for (const [index, { arg, env, begin }] of sorted.entries()) {
    t.same([arg, env[0]], [`j${cores}`, `${cores}`]);
    if (index > 0) t.ok(begin >= sorted[index - 1]!.end, "the node has two slots, and cores for one chunk");
  }
  const more = await runMuster(["run", writeJob("more", 0, { needs: { cores: cores + 1 } }), "-i", inventory]);
  t.equal(more.code, 69);
  t.match(more.err, new RegExp(`node1: .*needs.cores is ${cores + 1}, it has ${cores}`));
});
