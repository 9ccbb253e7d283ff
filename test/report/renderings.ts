import type { Job } from "../../executor/job/job.js";
import type { Pipeline } from "../../executor/pipeline/pipeline.js";
import type { PipelineHistory } from "../../executor/pipeline/pipelinehistory.js";
import type { NodeWorker } from "../../executor/run/node/nodeworker.js";
import type { SampledNode } from "../../fleet/gpus/sampledfleet.js";
import { formatBench } from "../../report/benchtext.js";
import { formatCacheLine, formatCacheProblems, formatCacheTable } from "../../report/cachetext.js";
import {
  formatCancelledPipeline,
  formatCancelledRun,
  formatCollecting,
  formatStoppedNode,
} from "../../report/canceltext.js";
import {
  type CommandOutcome,
  formatCommandOutcomes,
  formatFailedCommand,
  formatStreamedLine,
} from "../../report/commandoutput.js";
import { formatDrainedNodes } from "../../report/draintext.js";
import {
  buildDriftDocument,
  createDriftTable,
  formatDrift,
  formatDriftTotal,
  formatIncludedPlaybooks,
  formatNodeReport,
} from "../../report/drifttext.js";
import { formatFollowEvent } from "../../report/followtext.js";
import { toPrintableText } from "../../report/format.js";
import { formatHealPlan, formatHealStep } from "../../report/healtext.js";
import { renderHistoryPage } from "../../report/historypage.js";
import { formatHistory } from "../../report/historytext.js";
import { formatNotice } from "../../report/journaltext.js";
import { formatLeftovers, formatNodeNames } from "../../report/leftovertext.js";
import { formatLiveRun, formatMemoryWait } from "../../report/livetext.js";
import { renderRun, renderTotals } from "../../report/liveview.js";
import { formatNodeLine, formatNodesTable, formatUnusableNodes } from "../../report/nodestable.js";
import { LOGS_FOLDER } from "../../report/page/loglinks.js";
import { renderPipelinePage } from "../../report/pipelinepage.js";
import { formatPipelinePlan } from "../../report/pipelineplantext.js";
import { formatPipelineFailure, formatPipelineSummary, formatStep } from "../../report/pipelinetext.js";
import { renderPipeline } from "../../report/pipelineview.js";
import { formatPlan } from "../../report/plantext.js";
import { formatTotalProgress } from "../../report/progresstext.js";
import { formatProject } from "../../report/projecttext.js";
import { buildPipelineMetrics, buildRunMetrics, buildVerifyMetrics, formatMetrics } from "../../report/prometheus.js";
import { formatAddedTasks, formatCancelledTasks } from "../../report/queuetext.js";
import { formatTable } from "../../report/resulttable.js";
import { formatSchedule } from "../../report/scheduletext.js";
import { formatRunStatus, formatRunsTable } from "../../report/statustext.js";
import { formatSummary } from "../../report/summarytext.js";
import { renderFleet } from "../../report/topview.js";
import { formatExplanation } from "../../report/whytext.js";
import { createNode } from "../fleet/nodes.js";
import { benched } from "./benchsample.js";
import { CLUSTER_TEXTS } from "./clusterrenderings.js";
import { explanation } from "./explanationsample.js";
import { createBusySlot, createLiveRun as createSample, LIVE_NOW_MS, secondsAgo } from "./liverunsample.js";
import { members, progressText } from "./progressrendering.js";
import {
  caches,
  cancelled,
  differing,
  facts,
  failure,
  followEvents,
  healDecisions,
  healStep,
  history,
  looks,
  noticeEntries,
  pipeline,
  pipelineSummary,
  plan,
  reports,
  standing,
  stopped,
  summary,
} from "./samples.js";
import { scheduled as entry } from "./scheduledsample.js";

/** A function of report/ with an input that covers all of it. */
export interface Rendering {
  input: unknown;
  show(input: unknown): string;
  /** Keys whose values have been validated on reading: decimal numbers, times. */
  exact: ReadonlySet<string>;
  /** Its output contains only numbers. */
  isNumbers?: true;
}

/** The parts of a job that its project is shown from. */
const projectJob = {
  folder: "/p/jobs",
  folders: { job: "jobs", cwd: "jobs", pythonPath: ["src"] },
  project: {
    root: "/p",
    files: [{ path: "jobs/w.py", mode: 0o644, sizeBytes: 10, mtimeSeconds: 1 }],
    leftOut: [{ path: ".env", why: "env file", sizeBytes: 3 }],
  },
};

const NUMBERS = new Set(["units", "chunkUnits"]);
const KINDS = new Set([...NUMBERS, "kind"]);
const shown = <T>(input: T, show: (input: T) => string, exact = NUMBERS): Rendering => ({
  input,
  show: show as (input: unknown) => string,
  exact,
});

const frame = { columns: 80, rows: 24, nowMs: LIVE_NOW_MS, paint: (text: string) => text };
/** Values of what happens while logs are followed that muster chooses. */
const FOLLOW_VALUES = new Set([...NUMBERS, "type", "stream"]);
/** A run with a chunk whose program says what it does, and one that has stalled. */
const createLiveRun = () => {
  const live = createSample();
  const progress = { expectedSeconds: 400, progress: 0.5, progressAt: secondsAgo(390), text: "epoch 3" };
  return { ...live, slots: [...live.slots, createBusySlot("rig", 2, 400, progress)] };
};
/** Values of live.json that the coordinator makes itself: times, numbers, and words of its own. */
const LIVE_VALUES = new Set([
  ...NUMBERS,
  "kind",
  "since",
  "written",
  "progressAt",
  "state",
  "done",
  "session",
  "total",
]);

const commands: CommandOutcome[] = looks.map((look) =>
  "error" in look ? look : { node: look.node, value: { kind: "exit", code: 3, stdout: "printed", stderr: "an error" } },
);

const EXPLANATION_VALUES = new Set([...LIVE_VALUES, "runs"]);

/** Every function that returns text for people, by name. */
export const TEXTS: Record<string, Rendering> = {
  formatBench: shown(benched, (one) => formatBench({ ...one, diff: "+    power: 80W\n" }), new Set(["order"])),
  formatCollecting: shown([cancelled.name], ([node]) => formatCollecting(node!, 2)),
  formatStoppedNode: shown(cancelled.nodes, (all) => all.map(formatStoppedNode).join("\n")),
  formatCancelledRun: shown([cancelled, stopped], (all) => all.map(formatCancelledRun).join("\n")),
  formatCancelledPipeline: shown(
    { name: "nightly", directory: "/runs/n", state: "cancelled" as const, steps: [{ ...cancelled, step: "sieve" }] },
    formatCancelledPipeline,
  ),
  formatAddedTasks: shown({ directory: "/runs/trials", added: 3, accepted: 1204, closed: true }, formatAddedTasks),
  formatCancelledTasks: shown({ directory: "/t", tasks: ["a"], done: ["b"], cancelled: ["c"] }, formatCancelledTasks),
  formatDrift: shown(reports, (all) => formatDrift(all, { rows: "all", diffs: true })),
  createDriftTable: shown(reports, (all) =>
    formatTable(
      createDriftTable(
        all.map(({ node }) => node.name),
        { rows: "all", diffs: true },
      ),
      all,
    ),
  ),
  formatDriftTotal: { ...shown(reports, formatDriftTotal), isNumbers: true },
  formatIncludedPlaybooks: shown([{ name: "packages", neededBy: "rocm" }, { name: "rocm" }], (all) =>
    String(formatIncludedPlaybooks(all)),
  ),
  formatNodeReport: shown(reports, (all) => all.map(formatNodeReport).join("\n")),
  formatHistory: shown(history, (one) => formatHistory(one, true)),
  formatCacheTable: shown(caches, (all) => formatCacheTable(all, "all"), KINDS),
  formatCacheProblems: shown(caches, formatCacheProblems, KINDS),
  formatCacheLine: shown(caches, (all) => all.map(formatCacheLine).join("\n"), KINDS),
  formatNodesTable: shown(looks, (all) => formatNodesTable(all, "all", 1_800_000_000)),
  formatUnusableNodes: shown(looks, formatUnusableNodes),
  ...CLUSTER_TEXTS,
  formatCommandOutcomes: shown(commands, formatCommandOutcomes),
  formatFailedCommand: shown(commands, (all) => all.flatMap((one) => formatFailedCommand(one) ?? []).join("\n")),
  formatStreamedLine: shown("a line", (line) => formatStreamedLine("a", line)),
  formatFollowEvent: shown(followEvents, (all) => all.map(formatFollowEvent).join("\n"), FOLLOW_VALUES),
  formatLeftovers: shown([{ node: "a", inventory: "local", reason: "it was not reached" }], (all) =>
    toPrintableText(formatLeftovers(all, "runs/x")),
  ),
  formatDrainedNodes: shown(
    [{ name: "rig", drain: { since: secondsAgo(1), until: secondsAgo(0), reason: "new fans" } }],
    formatDrainedNodes,
    new Set(["since", "until"]),
  ),
  formatHealStep: shown(healStep, formatHealStep, new Set(["do", "action", "from", "step", "at"])),
  formatHealPlan: shown(healDecisions, formatHealPlan, new Set(["do", "action", "from", "step", "at"])),
  formatNotice: shown(
    noticeEntries,
    (all) => toPrintableText(all.map((one) => formatNotice(one) ?? "")),
    new Set(["e", "state", "step"]),
  ),
  formatExplanation: shown(
    explanation,
    ({ attempts, ...one }) =>
      formatExplanation({ ...one, state: "running", runState: "running" }, attempts, LIVE_NOW_MS),
    EXPLANATION_VALUES,
  ),
  formatNodeNames: shown(["a", "b"], (all) => toPrintableText([formatNodeNames(all)])),
  formatNodeLine: shown(looks, (all) => all.map(formatNodeLine).join("\n")),
  formatPipelineSummary: shown(pipelineSummary, (one) => formatPipelineSummary(one, false)),
  formatPipelineFailure: shown(pipelineSummary, formatPipelineFailure),
  formatStep: shown(pipelineSummary.steps, (all) => all.map(formatStep).join("\n")),
  formatPipelinePlan: shown(
    { pipeline, plan },
    (one) => {
      const [first, ...others] = one.pipeline.steps as [Pipeline["steps"][0], ...Pipeline["steps"]];
      const steps = [first, ...others.map((step) => ({ ...step, needs: [first.name] }))];
      return formatPipelinePlan({ ...one.pipeline, steps }, new Map([[first.name, { plan: one.plan, clusters: [] }]]));
    },
    KINDS,
  ),
  formatPlan: shown(plan, (one) => formatPlan(one)),
  formatProject: shown(projectJob, (input) => formatProject(input as unknown as Job)),
  formatTotalProgress: shown(createLiveRun(), (live) => formatTotalProgress(live, LIVE_NOW_MS), LIVE_VALUES),
  formatLiveRun: shown(createLiveRun(), (live) => toPrintableText(formatLiveRun(live, LIVE_NOW_MS, true)), LIVE_VALUES),
  renderRun: shown(createLiveRun(), (live) => renderRun(live, live.name, frame).join("\n"), LIVE_VALUES),
  renderTotals: shown(createLiveRun(), (live) => renderTotals(live, live.name, frame).join("\n"), LIVE_VALUES),
  renderFleet: shown(
    { live: createLiveRun(), name: "rig", reason: "no route", problem: "none", pci: "0000:03:00.0" },
    ({ live, name, reason, problem, pci }) => {
      const gpus = [{ pci, age: 1, isAsleep: false }];
      const nodes: SampledNode[] = [
        { node: createNode({ name }), state: "live", atMs: 0, sample: { load: 1, gpus, problem } },
        { node: { ...createNode({ name }), drain: { since: "2026-01-01", reason } }, state: "away", reason },
      ];
      return renderFleet({ nodes, runs: [{ label: name, path: name, live }] }, frame).join("\n");
    },
    LIVE_VALUES,
  ),
  renderPipeline: shown(
    createLiveRun(),
    (live) => {
      const running = [
        { name: live.name, sinceMs: 0, live },
        { name: live.nodes[1]!.node, sinceMs: 0 },
      ];
      return renderPipeline({ name: live.name, sinceMs: 0, total: 3, done: 0, failed: 1, running }, frame).join("\n");
    },
    LIVE_VALUES,
  ),
  formatMemoryWait: { ...shown(2, formatMemoryWait), isNumbers: true },
  PlainProgress: shown(
    {
      leftOut: [{ node: "hera", reason: "has no GPU" }],
      members: members as unknown as NodeWorker[],
      texts: { holder: "other", problem: "logs are lost", note: "rates are not kept" },
      failure,
      differing,
    },
    progressText,
  ),
  formatRunsTable: shown(
    [{ ...standing, live: createLiveRun() }],
    (all) => formatRunsTable(all, LIVE_NOW_MS),
    LIVE_VALUES,
  ),
  formatRunStatus: shown(
    { ...standing, steps: [{ step: "sieve", state: "failed" as const, seconds: 1, reason: "r", run: standing }] },
    (one) => formatRunStatus(one, Date.now()),
  ),
  formatSchedule: shown([entry], formatSchedule),
  formatSummary: shown(summary, (one) => formatSummary(one, false, { folder: one.results })),
};

export const PAGES: Record<string, Rendering> = {
  renderHistoryPage: shown(history, (one) => renderHistoryPage(one, LOGS_FOLDER)),
  renderPipelinePage: shown(
    {
      status: {
        ...standing,
        steps: [{ step: "sieve", state: "failed" as const, seconds: 1, reason: "r", run: standing }],
      },
      seconds: 100,
      sessions: history.sessions,
      executions: [{ step: "sieve", state: "failed" as const, from: 1, to: 90, reason: "no luck" }],
      commands: ["sieve"],
      jobs: [{ step: "sieve", history }],
      omittedJobs: [
        { step: "next", path: "/runs/next" },
        { step: "broken", path: "/runs/broken", reason: "is damaged" },
      ],
    } satisfies PipelineHistory,
    (one) => renderPipelinePage(one, LOGS_FOLDER),
  ),
};
export const METRICS: Rendering[] = [
  shown({ reports, facts }, (one) =>
    formatMetrics(buildVerifyMetrics(one.reports, new Map([["rig", one.facts]]), 0, 1)),
  ),
  shown(summary, (one) => formatMetrics(buildRunMetrics(one, 0, 1))),
  shown(
    {
      ...pipelineSummary,
      steps: pipelineSummary.steps.map((step) => ({ ...step, drift: buildDriftDocument(reports) })),
    },
    (one) => formatMetrics(buildPipelineMetrics(one, 0, 1)),
  ),
];
