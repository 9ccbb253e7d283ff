import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import t from "tap";
import { loadJob } from "../../../executor/job/loadjob.js";
import { fingerprintJob, StepFingerprint } from "../../../executor/pipeline/stepfingerprint.js";

t.test("a stored fingerprint has its own salt and matches only the same content", async (t) => {
  const content = { identity: "secret", inputs: {} };
  const [one, other] = [new StepFingerprint(content), new StepFingerprint({ ...content, identity: "Secret" })];
  const stored = [one.toStored(), one.toStored()];
  t.not(stored[0], stored[1]);
  for (const text of stored) {
    t.match(text, /^[0-9a-f]{32}:[0-9a-f]{64}$/);
    t.ok(one.matches(text));
    t.notOk(other.matches(text));
  }
  t.notOk(one.matches(undefined));
  t.notOk(one.matches(""));
});

t.test("fingerprints of older journals still match", async (t) => {
  const folder = t.testdir({ "w.py": "" });
  writeFileSync(`${folder}/job.yaml`, "kind: range\nrange: [0, 10]\nscript: w.py\nenv: {TOKEN: secret}\n");
  const job = loadJob(`${folder}/job.yaml`);
  mkdirSync(`${folder}/runs/p/one`, { recursive: true });
  writeFileSync(`${folder}/runs/p/one/journal.ndjson`, "");
  const fingerprint = await fingerprintJob(job, `${folder}/runs/p/one`);
  const inputs = { "w.py": createHash("sha256").update("").digest("hex") };
  const older = createHash("sha256")
    .update(JSON.stringify({ identity: job.identity, inputs }))
    .digest("hex");
  t.ok(fingerprint.matches(older));
  t.notOk(new StepFingerprint({ identity: "", inputs }).matches(older));
});
