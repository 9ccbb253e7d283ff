import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t from "tap";
import { parseRangeId } from "../../../../executor/job/chunkids.js";
import type { Job } from "../../../../executor/job/job.js";
import { NO_PROJECT_FOLDERS } from "../../../../executor/job/project/project.js";
import { RunReplay } from "../../../../executor/run/record/replay.js";
import { locateResults, type ResultsFolder } from "../../../../executor/run/record/resultsfolder.js";
import { removeUncommitted } from "../../../../executor/run/record/uncommitted.js";
import { listFiles, sha256Hex } from "../../../faults/checks.js";

const folder = mkdtempSync(join(tmpdir(), "muster-uncommitted-"));
t.teardown(() => rmSync(folder, { recursive: true }));

function results(name: string, kind: Job["kind"], files: string[]): ResultsFolder {
  for (const file of files) {
    mkdirSync(dirname(join(folder, name, "results", file)), { recursive: true });
    writeFileSync(join(folder, name, "results", file), "");
  }
  return locateResults(join(folder, name), "id", { kind, folders: NO_PROJECT_FOLDERS }, new RunReplay());
}

function pastOf(...committed: [number, number][]): RunReplay {
  const past = new RunReplay();
  for (const [start, end] of committed) past.committedUnits.add(BigInt(start), BigInt(end));
  return past;
}

t.test("range: chunks without a record are removed, and those with one are kept", async (t) => {
  const job = { kind: "range", collect: "files", unitsOf: parseRangeId } as unknown as Job;
  const path = results("range", "range", [
    "0-10/r.json",
    "10-20/r.json",
    "20-30/a/b",
    "25-40/r.json",
    "40-50/r.json",
    "mine/x",
  ]);
  await removeUncommitted(path, pastOf([0, 10], [40, 50]), job);
  t.same(listFiles(path.path), ["0-10/r.json", "40-50/r.json", "mine/x"]);
});

t.test("tasks: outputs of tasks without a record are removed, and nothing else", async (t) => {
  const outputs = [["out/a"], ["out/b", "c"], ["out/d"]];
  const chunk = (start: bigint) => ({ id: `t${start}`, spec: { outputs: outputs[Number(start)]!, inputs: [] } });
  const job = { kind: "tasks", collect: "files", first: 0n, units: 3n, chunk } as unknown as Job;
  const path = results("tasks", "tasks", ["out/a", "out/b", "c", "out/mine"]);
  await removeUncommitted(path, pastOf([0, 1]), job);
  t.same(listFiles(path.path), ["out/a", "out/mine"]);
});

t.test("a missing results folder is ignored", async (t) => {
  const job = { kind: "range", collect: "files", unitsOf: parseRangeId } as unknown as Job;
  await t.resolves(removeUncommitted(results("nowhere", "range", []), pastOf(), job));
});

t.test("files that were journaled and not committed are removed, and nothing else", async (t) => {
  const job = { kind: "range", collect: "files", unitsOf: parseRangeId } as unknown as Job;
  const path = join(folder, "shared");
  const contents = { "0-10/a": "own", "0-10/b": "own", "10-20/a": "of others", "mine/a": "own" };
  for (const [file, content] of Object.entries(contents)) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), content);
  }
  mkdirSync(join(path, "20-30/made"), { recursive: true });
  execFileSync("mkfifo", [join(path, "10-20/pipe")]);
  const shared = { folder: path, overwrite: false };
  const replay = new RunReplay();
  const hash = sha256Hex("own");
  for (const chunk of ["0-10", "10-20", "20-30", "30-40"])
    replay.pendingPublications.set(
      chunk,
      ["a", "b", "made/c", "pipe"].map((name) => [`${chunk}/${name}`, hash] as const),
    );
  const located = locateResults(
    join(folder, "run"),
    "id",
    { ...job, folders: NO_PROJECT_FOLDERS, results: shared },
    replay,
  );
  await removeUncommitted(located, replay, job);
  t.same(listFiles(path), ["10-20/a", "10-20/pipe", "mine/a"]);
  t.ok(existsSync(join(path, "20-30/made")), "folders may be somebody else's");
});
