import { existsSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

t.test(
  "two nodes on one machine: each has its own folder, they share CPU slots, and both are left clean",
  async (t) => {
    const workdir = join(shop.folder, "work");
    const inventory = shop.write("inventory.json", {
      defaults: { workdir },
      nodes: { one: { connection: "local", slots: 1 }, two: { connection: "local", slots: 2 } },
    });
    // Each waits until the other one has started: on slot 0, which both nodes have, and on slot 1.
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
    const roots = ["a", "b"].map((name) => shop.read(`runs/meet/results/${name}`));
    for (const root of roots) t.match(root, join(workdir, "runs"));
    t.notOk(existsSync(workdir), "nothing is left there");
  },
);
