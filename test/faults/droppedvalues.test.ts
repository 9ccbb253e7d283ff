import { appendFileSync } from "node:fs";
import t from "tap";
import { DelayingProxy } from "../lab/proxy.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { AskingJob } from "./asking.js";
import { checkNodes } from "./checks.js";

const { skip, shop, lab } = await shareLab(t, { nodes: 1, gpus: 1 }, "cutting connections");

t.setTimeout(600_000);

t.test("values arrive in order and once although the connection drops", { skip }, async (t) => {
  const [node] = lab.nodes;
  const proxy = await DelayingProxy.start(node!, 0);
  t.teardown(() => proxy.stop());
  appendFileSync(lab.knownHosts, `[${proxy.host}]:${proxy.port} ${node!.hostKey}\n`);
  const inventory = lab.inventory({ file: "drops.yaml", node: { host: proxy.host, port: proxy.port } });
  const shape = { kind: "matrix", matrix: { n: [0, 1] }, args: ["{n}", "120", "0.1"] };
  const job = new AskingJob(shop, "drops", inventory, "return []", shape);
  const running = job.start();
  const steps = () =>
    job
      .lives()
      .flat()
      .flatMap(({ step }) => step ?? []);
  for (const count of [10, 50]) {
    await waitUntil(`${count} values were told`, () => steps().length >= count);
    proxy.reset();
  }
  const ran = await running.ended;
  t.equal(ran.code, 0, ran.err);
  const told = steps();
  t.ok(told.length > 50);
  t.same(
    told,
    told.map((_, index) => index),
    "each value was told once, in order",
  );
  t.same(
    job.results()[0]?.values,
    Array.from({ length: 120 }, (_, step) => [step, step / 1000]),
    "the result has all of them",
  );
  t.equal(proxy.accepted, 3, "it was connected three times");
  await checkNodes(t, lab.nodes);
});
