import t from "tap";
import { quote } from "../../fleet/quote.js";
import { runMuster, TestFolder } from "../cli/startmuster.js";
import { Freezer, lackingFreezer } from "../lab/freezer.js";

t.test("a run goes on where the tools of the GPUs hang and cannot be killed", { skip: lackingFreezer() }, async (t) => {
  const shop = new TestFolder();
  t.teardown(() => shop.remove());
  const freezer = Freezer.create(shop.folder);
  t.teardown(() => freezer.remove());
  for (const tool of ["rocm-smi", "amd-smi"])
    shop.write(`bin/${tool}`, `#!/bin/sh\nexec ${freezer.command.map(quote).join(" ")}\n`, 0o755);
  const options = { env: { PATH: `${shop.folder}/bin:${process.env.PATH}` }, cwd: shop.folder };
  shop.write("inventory.yaml", {
    profiles: { rig: { vendor: "amd", gpus: 2 } },
    nodes: { rig: { connection: "local", profile: "rig" } },
  });
  shop.write("job.yaml", { kind: "matrix", matrix: { n: [0, 4] }, command: ["echo", "hi"], outputs: ["stdout"] });

  const nodes = await runMuster(["nodes"], options);
  t.match(nodes, { code: 0, out: /rocm-smi: no answer within \d+ s; killed/ });
  const ran = await runMuster(["run", "job.yaml"], options);
  t.match(ran, { code: 0, out: /job: complete: 4 chunks/ });
  t.match(ran.err, /rig: cannot check its GPUs: rocm-smi: no answer within \d+ s; killed/);
  t.match(ran.err, /rig: processes that survive SIGKILL stay on the node: \d+/);
  t.ok(freezer.states().length >= 3 && freezer.states().every((state) => state === "D"), "they are still there");
  await freezer.thaw();
  t.match(await runMuster(["cancel", "runs/job"], options), { code: 0, err: "rig: holds nothing of this run\n" });
});
