import t from "tap";
import { agent } from "./driver.js";

t.setTimeout(120_000);

t.test("two runs share a GPU: one at a time, in turn, each told who holds it", async (t) => {
  const slots = [{ slot: 0, env: {}, lock: `test-${process.pid}` }];
  const first = await agent(t, { run: "alpha", slots });
  const second = await agent(t, { run: "beta", slots });
  first.attachment.start("long", {}, ["sleep 1.5"]);
  await first.attachment.next((one) => one.ev === "started");
  second.attachment.start("waiting", {}, ["true"]);
  t.match(await second.attachment.next((one) => one.ev === "slot"), { slot: 0, holder: "alpha" });
  t.notOk(second.attachment.messages.some((one) => one.ev === "started"));
  await first.attachment.done("long");
  const free = await second.attachment.next((one) => one.ev === "slot");
  t.notOk("holder" in free);
  await second.attachment.done("waiting");
  for (let index = 0; index < 40; index++) first.attachment.start(`busy${index}`, {}, ["sleep 0.3"]);
  await first.attachment.next((one) => one.ev === "started" && one.id === "busy0");
  second.attachment.start("turn", {}, ["true"]);
  await second.attachment.done("turn");
  t.notOk(
    first.attachment.messages.some((one) => one.ev === "done" && one.id === "busy39"),
    "it had its turn while the other run still had work",
  );
});
