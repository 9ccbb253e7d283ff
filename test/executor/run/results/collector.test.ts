import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { Job } from "../../../../executor/job/job.js";
import type { DoneMessage, OutputReport } from "../../../../executor/run/agent/protocol.js";
import { RunReplay } from "../../../../executor/run/record/replay.js";
import type { ResultsFolder } from "../../../../executor/run/record/resultsfolder.js";
import { ResultFetcher } from "../../../../executor/run/results/resultfetcher.js";
import type { Attempt } from "../../../../executor/schedule/events.js";

const sha256 = createHash("sha256").update("x").digest("hex");

function attempt(id: string, node: string): Attempt {
  return {
    id,
    number: 1,
    node,
    slot: 0,
    chunk: { id, start: 0n, end: 1n, spec: { outputs: ["r"] } },
  } as unknown as Attempt;
}

function done(id: string, report: Partial<OutputReport>): DoneMessage {
  const nothing = { size: 0, data: "" };
  const outputs = [{ path: "r", size: 1, sha256, ...report }];
  return { ev: "done", id, outputs, stdout: nothing, stderr: nothing } as unknown as DoneMessage;
}

t.test("nodes that hang do not keep the results of others from coming in", async (t) => {
  const path = mkdtempSync(join(tmpdir(), "intake-"));
  t.teardown(() => rmSync(path, { recursive: true }));
  const intake = new ResultFetcher(
    { path, results: { partial: join(path, ".partial") } as ResultsFolder, replay: new RunReplay() },
    {
      collect: "files",
      limits: { output: 1 << 20 },
      folders: { cwd: "." },
    } as unknown as Job,
  );
  const hung = { root: "/", files: () => new Promise<never>(() => {}) };
  for (let n = 0; n < 100; n++) void intake.fetchOutputs(attempt(`1-${n}`, "hung"), done(`1-${n}`, {}), hung);
  const live = { root: "/", files: () => Promise.reject(new Error("not asked")) };
  const { outputs } = await intake.fetchOutputs(attempt("2-0", "live"), done("2-0", { data: "eA==" }), live);
  t.equal(outputs[0]?.sha256, sha256);
});
