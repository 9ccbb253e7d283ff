import t from "tap";
import { attachAgent, decodeInline } from "./agentdriver.js";

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

t.test("the coordinator tells the cards that the node's bus does not show", async (t) => {
  const open = { slots: slots("told"), examine: 60, cards: [{ vendor: "nvidia" as const, pci: [] }] };
  const gpu = { ...open.slots[0]!, vendor: "nvidia" as const };
  const { attachment } = await attachAgent(t, { ...open, slots: [gpu] });
  attachment.start("gpu", {}, ['printf "$MUSTER_GPU_PCI" >&2'], 0);
  attachment.send({ op: "examined", cards: [{ vendor: "nvidia", pci: ["00ab:01:00.0"] }] });
  const done = await attachment.waitForDone("gpu");
  t.match(done, { exit: 0, cards: [{ gpu: 0, pci: "00ab:01:00.0" }] });
  t.equal(decodeInline(done.stderr), "00ab:01:00.0");
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
