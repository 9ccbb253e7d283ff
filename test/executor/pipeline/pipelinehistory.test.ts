import { mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { readPipelineHistory } from "../../../executor/pipeline/pipelinehistory.js";
import type { PipelineEntry } from "../../../executor/pipeline/pipelinejournal.js";
import { Journal } from "../../../executor/run/record/journal.js";
import { renderPipelinePage } from "../../../report/pipelinepage.js";

const folder = mkdtempSync(join(tmpdir(), "muster-pipeline-history-"));
t.teardown(() => rmSync(folder, { recursive: true }));

const at = (seconds: number) => new Date(Date.parse("2026-11-25T20:00:00.000Z") + seconds * 1000).toISOString();
const open = (session: number, seconds: number): PipelineEntry => {
  return { e: "open", session, pid: 1, host: "h", at: at(seconds), meant: ["a", "b", "c"] };
};

async function writePipeline(name: string, entries: PipelineEntry[]): Promise<string> {
  const path = join(folder, name);
  mkdirSync(path);
  const file = join(path, "journal.ndjson");
  const journal = Journal.resume<PipelineEntry>(openSync(file, "a+"), file, () => {});
  journal.add({ e: "pipeline", id: "1", name, file: "p.yaml", steps: ["a", "b", "c"], identity: {} });
  for (const entry of entries) journal.add(entry);
  await journal.flush();
  journal.close();
  return path;
}

t.test(
  "steps over the sessions of a pipeline: one that was cut off, one that failed, one that was blocked",
  async (t) => {
    const path = await writePipeline("nightly", [
      open(1, 0),
      { e: "begin", step: "a", at: at(1) },
      { e: "end", step: "a", state: "complete", seconds: 3, at: at(4) },
      { e: "begin", step: "b", at: at(4) },
      { e: "begin", step: "b/x", at: at(10) },
      open(2, 3600),
      { e: "begin", step: "b", at: at(3601) },
      { e: "end", step: "b", state: "failed", seconds: 5, reason: "exit code <4>", at: at(3606) },
      { e: "end", step: "c", state: "blocked", reason: "it needs b", at: at(3606) },
      { e: "close", state: "partial", at: at(3607) },
    ]);
    const history = await readPipelineHistory(path, 0);
    t.match(history, { seconds: 17, jobs: [], omittedJobs: [], status: { state: "partial" } });
    t.match(history.sessions, [
      { from: 0, seconds: 10 },
      { from: 10, seconds: 7 },
    ]);
    t.same(history.executions, [
      { step: "a", state: "complete", from: 1, to: 4 },
      { step: "b", state: "interrupted", from: 4, to: 10 },
      { step: "b/x", state: "interrupted", from: 10, to: 10 },
      { step: "b", state: "failed", from: 11, to: 16, reason: "exit code <4>" },
    ]);
    const page = renderPipelinePage(history);
    t.match(page, "<h1>nightly: partial: 1 of 3 steps done, 2 failed</h1>");
    t.match(
      page,
      '<rect class="failed" x="647.1" width="294.1" height="10"><title>b: failed, 5.0 s: exit code &lt;4&gt;',
    );
    t.match(page, /<rect class="running"[^>]*><title>b: interrupted, 6\.0 s</);
    t.equal(page.match(/<path class="break"/g)?.length, 3, "the second session, on each lane");
    t.match(page, "<p>c: it needs b</p>");
  },
);
