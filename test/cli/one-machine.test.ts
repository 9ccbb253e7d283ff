import { join } from "node:path";
import t from "tap";
import { listLeftovers } from "../lab/leftovers.js";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

t.test("two nodes on one machine: each has its own slots and folder, and both are left clean", async (t) => {
  const workdir = join(shop.folder, "work");
  const inventory = shop.write("inventory.json", {
    defaults: { workdir },
    nodes: { one: { connection: "local", slots: 1 }, two: { connection: "local", slots: 1 } },
  });
  // Each waits until the other one has started.
  shop.write(
    "meet.py",
    `import os, sys, time
mine, other = sys.argv[1:]
open(os.path.join(${JSON.stringify(shop.folder)}, mine), "w").close()
while not os.path.exists(os.path.join(${JSON.stringify(shop.folder)}, other)): time.sleep(0.05)
open(mine, "w").write(os.environ["MUSTER_ROOT"])
`,
  );
  const file = shop.write("job.json", {
    name: "meet",
    kind: "tasks",
    script: "meet.py",
    timeout: "60s",
    retry: { attempts: 1 },
    tasks: [
      { id: "a", args: ["a", "b"], outputs: ["a"] },
      { id: "b", args: ["b", "a"], outputs: ["b"] },
    ],
  });
  const ran = await runMuster(["run", file, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.same(ran.err.match(/(silent|took over).*/g), null);
  t.not(shop.read("runs/meet/results/a"), shop.read("runs/meet/results/b"));
  t.same(listLeftovers(workdir), [], "nothing is left there beside the cache");
});
