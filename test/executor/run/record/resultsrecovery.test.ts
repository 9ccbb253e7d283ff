import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { Job } from "../../../../executor/job/job.js";
import { RunReplay } from "../../../../executor/run/record/replay.js";
import { formatResultLine } from "../../../../executor/run/record/resultlines.js";
import { recoverResults } from "../../../../executor/run/record/resultsrecovery.js";

const folder = mkdtempSync(join(tmpdir(), "muster-kept-"));
t.teardown(() => rmSync(folder, { recursive: true }));

const file = join(folder, "results.ndjson");
const job = { unitsOf: (id: string) => [BigInt(id), BigInt(id) + 1n] } as unknown as Job;
const line = (chunk: number) =>
  formatResultLine({
    chunk: `${chunk}`,
    node: "n",
    slot: 0,
    attempt: 1,
    seconds: 1,
    sha256: "x".repeat(chunk),
    output: undefined,
  });
const text = (chunks: number[]) => chunks.map(line).join("");

/** What a journal says that has these chunks, in that order. */
function pastOf(chunks: number[]): RunReplay {
  const past = new RunReplay();
  let length = 0;
  for (const chunk of chunks) {
    length += line(chunk).length;
    past.apply({ e: "done", chunk: `${chunk}`, start: `${chunk}`, end: `${chunk + 1}`, length });
  }
  return past;
}

t.test("lines that were appended but not journaled are removed, wherever the last one is torn", async (t) => {
  const whole = text([3, 1, 2, 0]);
  const past = pastOf([3, 1]);
  for (let length = past.resultsBytes; length <= whole.length; length++) {
    writeFileSync(file, whole.slice(0, length));
    await recoverResults(file, past, job);
    if (readFileSync(file, "utf8") !== text([3, 1])) t.fail(`cut at ${length}`);
  }
  t.same(readdirSync(folder), ["results.ndjson"]);
});

t.test("unjournaled lines in the middle are removed, too, and the order is kept", async (t) => {
  for (const known of [[3, 1], [0, 2], [3], [1, 0, 3], []]) {
    writeFileSync(file, text([0, 1, 2, 3]));
    await recoverResults(file, pastOf(known), job);
    t.equal(readFileSync(file, "utf8"), text([0, 1, 2, 3].filter((chunk) => known.includes(chunk))));
  }
  t.same(readdirSync(folder), ["results.ndjson"]);
});

t.test("missing lines are refused", async (t) => {
  const past = pastOf([3, 1, 2]);
  for (const wrong of ["", text([3, 1]), text([3, 1, 0, 0]), text([3, 1, 2]).slice(0, -1)]) {
    writeFileSync(file, wrong);
    await t.rejects(recoverResults(file, past, job), { code: "RESULTS_DAMAGED", exitStatus: 65 });
  }
});
