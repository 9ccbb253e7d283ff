import t from "tap";
import { attachAgent } from "./agentdriver.js";

t.setTimeout(600_000);

const slots = (name: string) => [
  { slot: 0, env: {}, gpu: 0, lock: `${name}-${process.pid}` },
  { slot: 1, env: {} },
];

t.test("a GPU slot waits for the coordinator's first check; a CPU slot does not", async (t) => {
  const { attachment } = await attachAgent(t, { slots: slots("examined"), examine: 60 });
  attachment.start("gpu", {}, ["true"], 0);
  attachment.start("cpu", {}, ["true"], 1);
  await attachment.waitForDone("cpu");
  attachment.start("later", {}, ["true"], 1);
  await attachment.waitForDone("later");
  t.notOk(attachment.messages.some((one) => one.ev === "started" && one.id === "gpu"));
  attachment.send({ op: "examined" });
  t.match(await attachment.waitForDone("gpu"), { exit: 0 });
});

t.test("without `examined`, a GPU slot starts when the check's time is up", async (t) => {
  const { attachment } = await attachAgent(t, { slots: slots("unexamined"), examine: 0.5 });
  t.match(await attachment.run("gpu", "true"), { exit: 0 });
});

t.test("an attempt that is withdrawn meanwhile never starts", async (t) => {
  const { attachment } = await attachAgent(t, { slots: slots("sick"), examine: 60 });
  attachment.start("gpu", {}, ["true"], 0);
  attachment.send({ op: "withdraw", ids: ["gpu"] }, { op: "examined" });
  t.match(await attachment.waitForDone("gpu"), { cancelled: true, exit: null });
  t.notOk(attachment.messages.some((one) => one.ev === "started"));
});
