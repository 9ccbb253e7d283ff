import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { closeGates, gatedJob } from "../lib/gatedjob.js";
import { startMuster } from "./startmuster.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 1, gpus: 0 });

t.test("a reader that goes away interrupts a run that prints nothing for long", { skip }, async (t) => {
  const job = shop.write("gated.json", { ...gatedJob("gated", { a: "never" }) });
  const run = startMuster(["run", job, "-i", inventory, "--json-lines", "--out", join(shop.folder, "gated")]);
  let printed = "";
  run.stdout!.on("data", (bytes) => {
    printed += bytes;
  });
  await waitUntil("it has begun", () => printed.includes("\n"));
  t.match(printed, /^\{"run":/);
  const ended = new Promise<number | null>((resolve) => run.once("exit", resolve));
  run.stdout!.destroy();
  t.equal(await ended, 130);
  closeGates(nodes);
});
