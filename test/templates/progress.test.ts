import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { AgentAttachment, attachAgent, coordinatorNonces } from "./agentdriver.js";

t.setTimeout(600_000);

const HOLD = "while [ ! -e ../../go ]; do sleep 0.1; done";
const slots = [0, 1, 2, 3].map((slot) => ({ slot, env: {} }));
const settings = { slots, progress: 1 };

/** Returns all that an agent reported about the progress of attempts. */
function listReports({ messages }: AgentAttachment) {
  return messages.flatMap((message) => (message.ev === "progress" ? message.attempts : []));
}

t.test("the progress of attempts is reported where it changes, and again to another coordinator", async (t) => {
  const { folder, attachment } = await attachAgent(t, settings);
  attachment.start("unit", {}, [`printf '125 200\\n' > "$MUSTER_RANGE"; ${HOLD}`], 0);
  const more = "while [ ! -e ../../more ]; do sleep 0.1; done";
  attachment.start("share", {}, [`echo 1 4 > "$MUSTER_PROGRESS"; ${more}; echo 0.5 > "$MUSTER_PROGRESS"; ${HOLD}`], 1);
  attachment.start("pipe", {}, [`mkfifo "$MUSTER_PROGRESS"; ln -s /etc/hostname "$MUSTER_RANGE"; ${HOLD}`], 2);
  attachment.start("odd", {}, [`echo 7 of 9 > "$MUSTER_PROGRESS"; echo -3 9 > "$MUSTER_RANGE"; ${HOLD}`], 3);
  const isReported = (id: string) => listReports(attachment).some((one) => one.id === id);
  await attachment.waitFor(() => isReported("unit") && isReported("share"));
  writeFileSync(join(folder.root, "more"), "");
  await attachment.waitFor((one) => one.ev === "progress" && one.attempts.some(({ share }) => share === 0.5));
  const bySlot = listReports(attachment).sort((a, b) => (a.id < b.id ? -1 : 1));
  t.same(bySlot, [
    { id: "share", share: 0.25 },
    { id: "share", share: 0.5 },
    { id: "unit", next: "125" },
  ]);
  await attachment.disconnect();

  const second = new AgentAttachment(folder);
  const { held } = await second.open({ ...settings, ...coordinatorNonces(2) });
  t.ok(held.every(({ seconds = 0 }) => seconds > 1));
  await second.waitFor(() => listReports(second).length === 2);
  writeFileSync(join(folder.root, "go"), "");
  for (const id of ["unit", "share", "pipe", "odd"]) t.equal((await second.waitForDone(id)).exit, 0);
});

t.test("a coordinator that does not ask gets no progress", async (t) => {
  const { attachment } = await attachAgent(t);
  await attachment.run("a", 'echo 0.5 > "$MUSTER_PROGRESS"; sleep 2.5');
  t.same(listReports(attachment), []);
});
