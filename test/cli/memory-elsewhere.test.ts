import t from "tap";
import { watchMuster } from "../faults/knownjob.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { startMuster } from "./startmuster.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: 2, vendor: "none" }, "looking into nodes");
const [small, large] = nodes as [(typeof nodes)[number], (typeof nodes)[number]];

/** The free memory that a node reports, of 8 GiB. */
async function free(node: typeof small, mebibytes: number): Promise<void> {
  const text = `MemTotal: ${8 << 20} kB\nMemAvailable: ${mebibytes << 10} kB\n`;
  await node.exec(["sh", "-c", 'printf "%s" "$1" > /etc/lab-meminfo', "sh", text]);
  await node.exec(["mount", "--bind", "/etc/lab-meminfo", "/proc/meminfo"]);
}

t.test("a chunk that waits for memory moves to a node with free memory", { skip }, async (t) => {
  await free(small, 1500);
  await free(large, 6000);
  await large.exec(["touch", "/tmp/go-elsewhere"]);
  shop.write(
    "elsewhere/w.sh",
    "#!/bin/sh\nuntil [ -e /tmp/go-elsewhere ]; do sleep 0.1; done\nsleep 1\necho 1 > r\n",
    0o755,
  );
  const file = shop.write("elsewhere/job.yaml", {
    name: "elsewhere",
    kind: "matrix",
    matrix: { n: [0, 4] },
    script: "w.sh",
    outputs: ["r"],
    needs: { memory: "1GiB" },
  });
  const run = watchMuster(startMuster(["run", file, "-i", lab.inventory({ node: { slots: 2 } })]));
  const lines = () => shop.read("elsewhere/runs/elsewhere/results.ndjson").trim().split("\n").filter(Boolean);
  await waitUntil("three of four have run on the node with memory", () => {
    try {
      return lines().length === 3 && lines().every((line) => JSON.parse(line).node === large.name);
    } catch {
      return false;
    }
  });
  await small.exec(["touch", "/tmp/go-elsewhere"]);
  const { code, err } = await run.ended;
  t.equal(code, 0, err);
  t.match(err, `${small.name}: 1 slot waits for memory`);
  t.equal(shop.results("elsewhere/runs/elsewhere").length, 4);
  t.match(shop.json("elsewhere/runs/elsewhere/summary.json"), { session: { attempts: 5 } });
  for (const node of nodes) t.same(await node.quiet(20), []);
});
