import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

const { skip, shop, lab } = await shareLab(t, { nodes: 2, gpus: 2, vendor: "amd" });

t.test("a GPU on which every chunk fails is disabled and reported, and no chunk is lost", { skip }, async (t) => {
  const sick = lab.nodes[1]!.name;
  shop.write(
    "sick/w.py",
    `import os, socket, sys, time
if os.environ.get("SICK") == "yes" and os.environ["MUSTER_SLOT"] == "1": sys.exit("HIP error: no device")
time.sleep(0.05)
open("r.txt", "w").write(sys.argv[1])
`,
  );
  const job = shop.write("sick/job.yaml", {
    name: "sick",
    kind: "matrix",
    matrix: { n: [0, 120] },
    script: "w.py",
    args: ["{n}"],
    outputs: ["r.txt"],
    retry: { attempts: 2, backoff: "50ms" },
  });
  const inventory = lab.inventory({ nodes: { [sick]: { env: { SICK: "yes" } } } });
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.match(
    ran.err,
    new RegExp(`${sick}: slot 1 gets no work for 60 s: \\d+ chunks in a row failed here while others succeed`),
  );
  t.match(ran.out, /slot 1 is disabled: \d+ chunks in a row failed here while others succeed/);
  t.equal(shop.results("sick/runs/sick").length, 120);
  const { nodes } = shop.json<{ nodes: { node: string; failedAttempts: number; takenOut?: unknown }[] }>(
    "sick/runs/sick/summary.json",
  );
  const node = nodes.find((one) => one.node === sick)!;
  t.match(node.takenOut, [{ slot: 1, back: false }]);
  t.ok(node.failedAttempts < 10, `${node.failedAttempts} failed attempts`);
  const report = JSON.parse((await runMuster(["report", `${shop.folder}/sick/runs/sick`, "--json"])).out);
  t.match(report.happenings, [{ node: sick, slot: 1, what: /^disabled: \d+ chunks in a row/ }]);
  t.equal(report.tried.length, node.failedAttempts, "every attempt that failed is in the report");
});
