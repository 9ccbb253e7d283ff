import type { Pipeline } from "../../executor/pipeline/pipeline.js";
import type { Member } from "../../executor/run/node/member.js";
import type { View } from "../../executor/run/observer.js";
import type { Differing } from "../../executor/run/record/past.js";
import type { LeftOut } from "../../executor/run/record/summary.js";
import type { Failure } from "../../executor/schedule/events.js";
import { cancelledPipelineText, cancelledText, stoppedText } from "../../report/cancel.js";
import { driftDocument, driftText, nodeLine, totalText } from "../../report/drift.js";
import { textOf } from "../../report/format.js";
import { historyText } from "../../report/history.js";
import { leftoverLines, nodeNames } from "../../report/leftovers.js";
import { metricsText, pipelineFamilies, runFamilies, verifyFamilies } from "../../report/metrics.js";
import { lookLine, nodesText, troubleText } from "../../report/nodes.js";
import { historyPage } from "../../report/page.js";
import { pipelinePlanText, pipelineText, pipelineTrouble, stepText } from "../../report/pipeline.js";
import { planText } from "../../report/plan.js";
import { memoryText, progressLines, totalLine } from "../../report/progress.js";
import { PlainProgress } from "../../report/run.js";
import { runsText, runText } from "../../report/runs.js";
import { type ScheduledEntry, scheduleText } from "../../report/schedule.js";
import { summaryText } from "../../report/summary.js";
import {
  cancelled,
  differing,
  facts,
  failure,
  history,
  looks,
  pipeline,
  pipelineSummary,
  plan,
  reports,
  standing,
  stopped,
  summary,
} from "./samples.js";

/** A function of report/ with an input that reaches all of it. */
export interface Shown {
  input: unknown;
  show(input: unknown): string;
  /** Keys whose texts a reader of JSON or a schema has checked: numbers in decimal, times. */
  exact: ReadonlySet<string>;
  /** It has no text in it. */
  isNumbers?: true;
}

const NUMBERS = new Set(["units", "chunkUnits"]);
const KINDS = new Set([...NUMBERS, "kind"]);
const shown = <T>(input: T, show: (input: T) => string, exact = NUMBERS): Shown => ({
  input,
  show: show as (input: unknown) => string,
  exact,
});

/** A run as its observers see it. */
function viewOf(members: object[]): View {
  const of = { chunks: 4, units: 4n, failedAttempts: 1, out: new Map([[1, { reason: "sick", back: false }]]) };
  const tally = { units: 4n, chunks: 4, failed: 1, seconds: 1, nodes: new Map([["rig", of]]), of: () => of };
  const job = { name: "sieve", units: 10n, kind: "tasks" };
  return { members, tally: { ...tally, job } } as unknown as View;
}
const members = [
  { node: { name: "rig" }, state: "live", slots: [{ slot: 0 }], short: 1 },
  { node: { name: "zeus" }, state: "away", slots: [], short: 0, reason: "no route", error: { next: "Look." } },
];

interface Told {
  leftOut: LeftOut[];
  members: Member[];
  texts: { holder: string; problem: string; note: string };
  failure: Failure;
  differing: Differing;
}

/** Everything that PlainProgress can be told. */
function progressText({ leftOut, members: told, texts, failure: failed, differing: found }: Told): string {
  const said: string[] = [];
  const progress = new PlainProgress({ out: () => {}, err: (text) => said.push(text) });
  progress.begin(viewOf(told), "/runs/sieve", leftOut);
  for (const member of told) {
    progress.node(member);
    progress.slot(member, 0, texts.holder);
    progress.slot(member, 0, undefined);
    progress.memory(member);
    progress.problem(member, texts.problem);
  }
  progress.note(texts.note);
  progress.failedAttempt(failed);
  progress.gaveUp(failed);
  progress.differs(found);
  progress.end();
  return said.join("\n");
}

const entry: ScheduledEntry = {
  what: "nightly",
  schedule: "0 2 * * *",
  next: ["2026-11-25T02:00:00.000Z"],
  line: "0 2 * * * muster",
  installed: "no",
};

/** Of every function that makes a text for people, by its name. */
export const TEXTS: Record<string, Shown> = {
  stoppedText: shown(cancelled.nodes, (all) => all.map(stoppedText).join("\n")),
  cancelledText: shown([cancelled, stopped], (all) => all.map(cancelledText).join("\n")),
  cancelledPipelineText: shown(
    { name: "nightly", directory: "/runs/n", state: "cancelled" as const, steps: [{ ...cancelled, step: "sieve" }] },
    cancelledPipelineText,
  ),
  driftText: shown(reports, (all) => driftText(all, { rows: "all", diffs: true })),
  totalText: { ...shown(reports, totalText), isNumbers: true },
  nodeLine: shown(reports, (all) => all.map(nodeLine).join("\n")),
  historyText: shown(history, (one) => historyText(one, true)),
  nodesText: shown(looks, (all) => nodesText(all, "all", 1_800_000_000)),
  troubleText: shown(looks, troubleText),
  leftoverLines: shown([{ node: "a", inventory: "local", reason: "it was not reached" }], (all) =>
    textOf(leftoverLines(all, "runs/x")),
  ),
  nodeNames: shown(["a", "b"], (all) => textOf([nodeNames(all)])),
  lookLine: shown(looks, (all) => all.map(lookLine).join("\n")),
  pipelineText: shown(pipelineSummary, (one) => pipelineText(one, false)),
  pipelineTrouble: shown(pipelineSummary, pipelineTrouble),
  stepText: shown(pipelineSummary.steps, (all) => all.map(stepText).join("\n")),
  pipelinePlanText: shown(
    { pipeline, plan },
    (one) => {
      const [first, ...others] = one.pipeline.steps as [Pipeline["steps"][0], ...Pipeline["steps"]];
      const steps = [first, ...others.map((step) => ({ ...step, needs: [first.name] }))];
      return pipelinePlanText({ ...one.pipeline, steps }, new Map([[first.name, one.plan]]));
    },
    KINDS,
  ),
  planText: shown(plan, planText),
  progressLines: shown(members, (all) => progressLines(viewOf(all), 80).join("\n")),
  totalLine: shown("sieve", (name) =>
    totalLine({ ...viewOf([]), tally: { ...viewOf([]).tally, job: { name, units: 9n } } } as View),
  ),
  memoryText: { ...shown(2, memoryText), isNumbers: true },
  PlainProgress: shown(
    {
      leftOut: [{ node: "hera", reason: "has no GPU" }],
      members: members as unknown as Member[],
      texts: { holder: "other", problem: "logs are lost", note: "rates are not kept" },
      failure,
      differing,
    },
    progressText,
  ),
  runsText: shown([standing], (all) => runsText(all, Date.now())),
  runText: shown(
    { ...standing, steps: [{ step: "sieve", state: "failed" as const, seconds: 1, reason: "r", run: standing }] },
    (one) => runText(one, Date.now()),
  ),
  scheduleText: shown([entry], scheduleText),
  summaryText: shown(summary, (one) => summaryText(one, false, "all.json")),
};

export const HTML = shown(history, historyPage);
export const METRICS: Shown[] = [
  shown({ reports, facts }, (one) => metricsText(verifyFamilies(one.reports, new Map([["rig", one.facts]]), 0, 1))),
  shown(summary, (one) => metricsText(runFamilies(one, 0, 1))),
  shown(
    { ...pipelineSummary, steps: pipelineSummary.steps.map((step) => ({ ...step, drift: driftDocument(reports) })) },
    (one) => metricsText(pipelineFamilies(one, 0, 1)),
  ),
];

/** Functions of report/ that make no text for people by themselves: parts that the ones above put together, documents, and values. */
export const UNSHOWN = [
  "NodeProgress",
  "accountOf",
  "workers",
  "driftDocument",
  "nodesDocument",
  "historyDocument",
  "runsDocument",
  "decimal",
  "cellsOf",
  "comparison",
  "failureLines",
  "differingText",
  "verifyFamilies",
  "runFamilies",
  "pipelineFamilies",
  // It draws what progressLines makes, and says what PlainProgress says.
  "LiveProgress",
  // What the others are made with.
  "count",
  "duration",
  "rate",
  "rough",
  "plural",
  "bytes",
  "printable",
  "textOf",
  "oneLine",
  "shortened",
  "fitted",
  "wrapped",
  "columnsOf",
  "firstColumns",
  "lastColumns",
  "padEndColumns",
];
