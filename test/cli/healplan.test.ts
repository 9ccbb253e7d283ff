import t from "tap";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

t.test(
  "the plan of a run says what `heal` does, and what would make a healing fail; no node is contacted",
  async (t) => {
    const heal = { after: "5m", env_file: "nope.env" };
    const rig = { host: "192.0.2.1", slots: 1 };
    const inventory = shop.write("heal.yaml", {
      nodes: { "rig-1": { ...rig, power_cycle: ["./plugg.sh", "{nod}"] }, "rig-2": { ...rig, host: "192.0.2.2" } },
      heal,
    });
    const job = shop.write("job.yaml", { name: "job", kind: "range", range: [0, 8], command: ["true"] });
    const planned = await runMuster(["run", job, "-i", inventory, "--plan"]);
    t.match(planned, {
      code: 0,
      out: /^ {2}heal: a node that is away, .*\n.* at most 2 times within 24 hours\n {2}without power_cycle, .*: rig-2\njob: /,
      err: /^heal: power_cycle of rig-1: \{nod\} is neither \{node\} nor \{host\}\nheal: env_file of heal: .*nope\.env: /,
    });
    const { notes } = JSON.parse((await runMuster(["run", job, "-i", inventory, "--plan", "--json"])).out);
    t.match(notes, [/^heal: power_cycle of rig-1/, /^heal: env_file/]);
    const without = shop.write("plain.yaml", { nodes: { "rig-2": rig } });
    t.notMatch((await runMuster(["run", job, "-i", without, "--plan"])).out, "heal");
  },
);
