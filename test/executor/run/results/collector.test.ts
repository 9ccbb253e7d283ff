import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { Job } from "../../../../executor/job/job.js";
import type { DoneMessage, OutputReport } from "../../../../executor/run/agent/protocol.js";
import { RunReplay } from "../../../../executor/run/record/replay.js";
import type { ResultsFolder } from "../../../../executor/run/record/resultsfolder.js";
import { Collector, type CollectorEvent } from "../../../../executor/run/results/collector.js";
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
  for (let n = 0; n < 100; n++) void intake.fetchOutputs(attempt(`1-${n}`, "hung"), done(`1-${n}`, {}), hung, false);
  const live = { root: "/", files: () => Promise.reject(new Error("not asked")) };
  const { outputs } = await intake.fetchOutputs(attempt("2-0", "live"), done("2-0", { data: "eA==" }), live, false);
  t.equal(outputs[0]?.sha256, sha256);
});

/** A collector of a run whose chunk `n=0` is committed. `n=1` is another chunk of its job. */
function openCollector(path: string, emit: (event: CollectorEvent) => void): Collector {
  const replay = new RunReplay();
  replay.committedUnits.add(0n, 1n);
  const unitsOf = (id: string) => ({ "n=0": [0n, 1n], "n=1": [1n, 2n] })[id];
  const directory = { path, results: { partial: join(path, ".partial") }, replay, elapsedSeconds: () => 0 };
  const job = { collect: "files", limits: { output: 1 << 20 }, folders: { cwd: "." }, unitsOf };
  const rest = {
    rechecks: {},
    counters: { countLogs: () => {} },
    inFlightCount: () => 0,
    fateOf: () => "commit",
    emit,
  };
  return new Collector({ job, directory, ...rest } as unknown as ConstructorParameters<typeof Collector>[0]);
}

t.test("states that a killed coordinator left of chunks with a result are removed", async (t) => {
  const path = mkdtempSync(join(tmpdir(), "collector-"));
  t.teardown(() => rmSync(path, { recursive: true }));
  for (const name of ["n=0", "n=1", "notes"]) mkdirSync(join(path, "state", name), { recursive: true });
  const collector = openCollector(path, () => {});
  t.same(readdirSync(join(path, "state")).sort(), ["n=1", "notes"]);
  await collector.close();
});

t.test("an attempt whose state does not fit on this disk is not acknowledged", async (t) => {
  const path = mkdtempSync(join(tmpdir(), "collector-"));
  t.teardown(() => rmSync(path, { recursive: true }));
  mkdirSync(join(path, "logs"));
  const events: string[] = [];
  const collector = openCollector(path, ({ type }) => events.push(type));
  const error = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  const source = { root: "/", files: () => Promise.reject(error) };
  const state = { name: "s", folder: 0, files: [{ path: "w", size: 1, sha256 }] };
  const ended = { attempt: attempt("1-0", "n"), done: { ...done("1-0", {}), state }, source, fingerprint: undefined };
  collector.collectStopped(ended);
  await collector.settle();
  t.same(events, ["diskFailed"]);
  await collector.close();
});
