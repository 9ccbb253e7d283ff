import t from "tap";
import type { LivePilot } from "../../executor/run/record/liverun.js";
import { formatLiveRun } from "../../report/livetext.js";
import { renderRun } from "../../report/liveview.js";
import { foldEndedPilots, foldPilotNames, formatPilots } from "../../report/pilottext.js";
import { formatTotalProgress } from "../../report/progresstext.js";
import { createLiveNode, createLiveRun, LIVE_NOW_MS } from "./liverunsample.js";

const pending = (id: string, reason?: string): LivePilot => ({ cluster: "hpc", id, state: "pending", reason });
const pilots: LivePilot[] = [
  pending("1", "Resources"),
  pending("2", "Priority"),
  pending("3", "Priority"),
  { cluster: "hpc", id: "4", state: "starting" },
  { cluster: "hpc", id: "5", state: "starting" },
  { cluster: "far", state: "submitting" },
];
const ended = (id: number) => createLiveNode(`hpc/${id}`, { state: "ended", reason: "its allocation is over" });

t.test("a line for each cluster with pilots that do not work yet", async (t) => {
  t.same(formatPilots(pilots), [
    "hpc: 3 pilots wait (Priority: 2, Resources: 1), 2 start",
    "far: 1 pilot is submitted",
  ]);
  t.same(formatPilots([pending("1")]), ["hpc: 1 pilot waits"]);
  t.same(formatPilots(undefined), []);
});

t.test("many pilots that have ended are one line, a few are listed", async (t) => {
  const few = [1, 2, 3].map(ended);
  t.same(foldEndedPilots(few), { shown: few, lines: [] });
  const rig = createLiveNode("rig");
  const last = createLiveNode("hpc/9");
  const folded = foldEndedPilots([rig, ...few, { ...ended(4), failedAttempts: 1 }, last]);
  t.same(folded.shown, [rig, last]);
  t.same(folded.lines, ["hpc: 4 ended pilots, 16 chunks, 1 failed attempt"]);
  t.same(foldPilotNames(["rig", "hpc/1", "hpc/2", "hpc/3"]), ["rig", "hpc/1", "hpc/2", "hpc/3"]);
  t.same(foldPilotNames(["rig", "hpc/1", "hpc/2", "hpc/3", "hpc/4"]), ["rig", "hpc (4 pilots)"]);
});

t.test("the live view, status and progress show both", async (t) => {
  const nodes = [createLiveNode("rig"), ...[1, 2, 3, 4].map(ended)];
  const live = createLiveRun({ nodes, pilots, omitted: undefined });
  const frame = { columns: 80, rows: 24, nowMs: LIVE_NOW_MS, paint: (text: string) => text };
  const expected = [
    "  hpc: 4 ended pilots, 16 chunks",
    "  hpc: 3 pilots wait (Priority: 2, Resources: 1), 2 start",
    "  far: 1 pilot is submitted",
  ];
  for (const lines of [renderRun(live, "sieve", frame), formatLiveRun(live, LIVE_NOW_MS, false)]) {
    t.same(
      lines.filter((line) => /^ {2}(hpc|far)/.test(line)),
      expected,
    );
    t.ok(
      lines.some((line) => line.startsWith("  rig")),
      "machines are listed",
    );
  }
  t.match(formatTotalProgress(live, LIVE_NOW_MS), /, hpc: 3 pilots wait \(Priority: 2, Resources: 1\), 2 start, far: /);
  t.equal(renderRun(live, "sieve", { ...frame, rows: 4 }).length, 4, "it keeps to its rows");
});
