import { join } from "node:path";
import t from "tap";
import { watchMuster } from "../faults/knownjob.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster } from "./startmuster.js";

const { skip, shop, inventory } = await shareLab(t, { nodes: 1, gpus: 0 });

t.test(
  "a failure in a queue that waits is known at once, although nothing is committed after it",
  { skip },
  async (t) => {
    const file = shop.write("q.yaml", {
      ...{ name: "q", kind: "queue", project: "none", command: ["sh", "-c", "exit $0"], args: ["{code}"] },
      ...{ params: { code: 0 }, outputs: ["stdout"], retry: { attempts: 1 } },
    });
    const tasks = shop.write("tasks.json", [{ id: "good" }, { id: "bad", params: { code: 9 } }]);
    const [run, words] = [join(shop.folder, "runs/q"), ["-i", inventory]];
    const running = watchMuster(startMuster(["run", file, ...words]));
    t.match(await runMuster(["add", file, tasks]), { code: 0 });
    const status = async () => JSON.stringify(JSON.parse((await runMuster(["status", run, "--json"])).out));
    await waitUntil(
      "status has both",
      async () => /"failed":1\b/.test(await status()) && /"done":1\b/.test(await status()),
    );
    t.match(await runMuster(["why", run, "bad"]), { code: 0, out: /failed, and not tried again.*exit code 9/s });
    t.match(await runMuster(["logs", run, "--failed"]), { out: /bad/ });
    running.child.kill("SIGINT");
    t.equal((await running.ended).code, 130);
  },
);
