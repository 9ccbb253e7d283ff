import { readFileSync } from "node:fs";
import t from "tap";
import { acquireCronLock } from "../../../executor/pipeline/cronlock.js";
import type { Pipeline } from "../../../executor/pipeline/pipeline.js";
import { sendNotifications } from "../../../executor/pipeline/sendnotifications.js";
import { findUnsafe, HOSTILE } from "../../report/hostilestrings.js";

t.test("the log of scheduled runs escapes text from nodes, and each message begins one line", async (t) => {
  const pipeline = { name: "nightly", folder: t.testdir({}), file: "nightly.yaml", steps: [] } as unknown as Pipeline;
  const stop = new AbortController().signal;
  const turn = await acquireCronLock(pipeline, { kind: "all" }, { overlap: "fail", waitSeconds: undefined, stop });
  turn!.log(`stopped, exit 69: ${HOSTILE}`);
  turn!.log("began");
  turn!.release();
  const text = readFileSync(`${pipeline.folder}/runs/nightly.log`, "utf8");
  t.equal(findUnsafe(text.replaceAll("x".repeat(5000), "")), undefined);
  t.equal(text.split("\n").filter((line) => /^\d{4}-/.test(line)).length, 2);
});

t.test("a notification is exact JSON in which text from nodes is escaped", async (t) => {
  const folder = t.testdir({});
  const words = ["sh", "-c", "cat > reported.json"];
  t.same(
    await sendNotifications([{ kind: "command", argv: words, timeoutSeconds: 10 }], { error: HOSTILE }, folder),
    [],
  );
  const reported = readFileSync(`${folder}/reported.json`, "utf8");
  t.same(JSON.parse(reported), { error: HOSTILE });
  t.equal(findUnsafe(reported.replaceAll("x".repeat(5000), "")), undefined);
});
