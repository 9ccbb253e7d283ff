import type { Pipeline } from "../../executor/pipeline/pipeline.js";
import type { PipelineSummary } from "../../executor/pipeline/summary.js";
import type { Cancelled } from "../../executor/run/cancel.js";
import type { Member } from "../../executor/run/node/member.js";
import type { View } from "../../executor/run/observer.js";
import type { History } from "../../executor/run/record/history.js";
import type { Differing } from "../../executor/run/record/past.js";
import type { Standing } from "../../executor/run/record/standing.js";
import type { LeftOut, Summary } from "../../executor/run/record/summary.js";
import type { Failure } from "../../executor/schedule/events.js";
import type { Plan } from "../../executor/schedule/plan/plan.js";
import type { Facts } from "../../fleet/facts.js";
import type { Look } from "../../fleet/look.js";
import type { NodeReport } from "../../playbooks/engine/fleet.js";
import type { Verdict } from "../../playbooks/engine/resource.js";
import { cancelledPipelineText, cancelledText, stoppedText } from "../../report/cancel.js";
import { driftDocument, driftText, nodeLine, totalText } from "../../report/drift.js";
import { historyText } from "../../report/history.js";
import { metricsText, pipelineFamilies, runFamilies, verifyFamilies } from "../../report/metrics.js";
import { nodesText, troubleText } from "../../report/nodes.js";
import { historyPage } from "../../report/page.js";
import { pipelinePlanText, pipelineText, pipelineTrouble, stepText } from "../../report/pipeline.js";
import { planText } from "../../report/plan.js";
import { memoryText, progressLines, totalLine } from "../../report/progress.js";
import { PlainProgress } from "../../report/run.js";
import { runsText, runText } from "../../report/runs.js";
import { type ScheduledEntry, scheduleText } from "../../report/schedule.js";
import { summaryText } from "../../report/summary.js";
import { MusterError } from "../../schemas/errors.js";
import { someNode } from "../fleet/node.js";

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

const failure: Failure = {
  chunk: "7",
  node: "rig",
  slot: 1,
  attempt: 2,
  exit: 1,
  signal: null,
  reason: "exit code 1",
  stderr: "Traceback\nValueError\n",
};
const differing: Differing = {
  chunk: "8",
  first: { node: "rig", slot: 0, fingerprint: undefined } as Differing["first"],
  second: { node: "zeus", slot: 0, fingerprint: undefined } as Differing["second"],
  what: "r.json: byte 3",
};
const summary: Summary = {
  name: "sieve",
  state: "broken",
  directory: "/runs/sieve",
  chunks: { done: 4, failed: 2 },
  units: { done: "40", total: "100" },
  session: { number: 2, chunks: 4, attempts: 7, dropped: 1, seconds: 12 },
  planned: { chunks: 4, seconds: 10 },
  cutLogs: 1,
  canary: { compared: 2, unchecked: 1, differing: [differing] },
  nodes: [
    {
      node: "rig",
      state: "away",
      slots: 2,
      chunks: 4,
      units: "40",
      failedAttempts: 2,
      planned: { chunks: 4, units: "40" },
      reason: "no route",
      takenOut: [{ slot: 1, reason: "ECC errors", back: false, reboot: true }],
    },
  ],
  failures: [failure],
  error: "the disk is full",
  next: "Make room.",
};
const standing: Standing = {
  name: "sieve",
  path: "/runs/sieve",
  state: "running",
  started: "2026-11-25T20:00:00.000Z",
  seconds: 10,
  chunks: { done: 4, failed: 1 },
  units: { done: "40", total: "50" },
  nodes: ["rig"],
  coordinator: { pid: 7, host: "desk", since: "2026-11-25T20:00:00.000Z" },
  reason: "damaged",
};
const history: History = {
  standing,
  seconds: 100,
  sessions: [
    { number: 1, began: "2026-11-25T20:00:00.000Z", from: 0, seconds: 80 },
    { number: 2, began: "2026-11-26T08:00:00.000Z", from: 80, seconds: 20 },
  ],
  executions: [{ chunk: "7", node: "rig", slot: 0, attempt: 2, units: 10n, seconds: 50, end: 50 }],
  tried: [{ e: "tried", at: 12, chunk: "7", node: "rig", slot: 1, attempt: 1, reason: "exit code 1" }],
  nodes: [
    { e: "node", at: 1, node: "rig", state: "live", slots: [0, 1] },
    { e: "node", at: 30, node: "rig", state: "silent", reason: "no answer" },
  ],
  slots: [{ e: "slot", at: 12, node: "rig", slot: 1, out: "ECC errors" }],
  failures: [failure],
  summary: { ...summary, state: "complete" },
  missing: ["an older muster wrote this"],
};
const plan: Plan = {
  job: "sieve",
  units: "100",
  nodes: [
    {
      node: "rig",
      slots: 2,
      chunkUnits: "10",
      perSlot: [],
      refusals: [{ slots: [1], reason: "is a model of its own" }],
    },
    { node: "zeus", slots: 0, chunkUnits: "0", perSlot: [], refused: "has no GPU", refusals: [] },
  ],
  unplaceable: [{ gpu: 3, chunks: ["a"], reasons: ["rig has two"] }],
};
const pipelineSummary = {
  name: "nightly",
  state: "partial",
  directory: "/runs/nightly",
  seconds: 10,
  steps: [
    { step: "sieve", kind: "job", state: "failed", seconds: 3, reason: "first\nsecond", run: summary },
    { step: "check", kind: "verify", state: "drift", seconds: 3, reason: "drift" },
  ],
} as unknown as PipelineSummary;
const pipeline = {
  name: "nightly",
  steps: [
    { name: "sieve", needs: [], feeds: [], when: "always", work: { kind: "job", file: "/jobs/sieve.yaml" } },
    { name: "next", needs: [], feeds: [], work: { kind: "command", words: [["run"], [{ name: "out" }]] } },
    { name: "ready", needs: [], feeds: [], work: { kind: "provision", playbooks: ["ramdisk"] } },
  ],
} as unknown as Pipeline;

const facts: Facts = {
  hostname: "rig",
  boot: "b",
  booted: 1_800_000_000,
  uptime: 3600,
  python: "3.10.12",
  cores: 6,
  memory: { total: 2 ** 33, available: 2 ** 32 },
  disk: { path: "/home/ci", free: 2 ** 34, total: 2 ** 35 },
  kernel: "6.8.0",
  home: "/home/ci",
  gpus: [{ vendor: "amd", model: "RX 6600", pci: "0000:03:00.0", vram: 2 ** 33, driver: "6.12" }],
  tools: { "rocm-smi": "no answer" },
};
const error = new MusterError("LOST", 69, "rig: gone", { next: "Look." });
const looks: Look[] = [
  { node: someNode({ name: "rig", gpus: 2 }), facts, hostKey: "ssh-ed25519 SHA256:x" },
  { node: someNode({ name: "zeus" }), error },
];
const verdict: Verdict = {
  playbook: "p",
  resource: "files /etc",
  state: "drift",
  differences: [{ what: "x", have: "1", want: "2", diff: "-1\n+2\n" }],
  reason: "r",
  next: "n",
  notes: ["soon"],
};
const reports: NodeReport[] = [
  { node: someNode({ name: "rig" }), inspection: { fingerprint: "f", verdicts: [verdict] } },
  { node: someNode({ name: "b" }), skipped: "not rebooted" },
  { node: someNode({ name: "c" }), error },
];
const cancelled: Cancelled = {
  name: "sieve",
  directory: "/runs/sieve",
  state: "cancelled",
  chunks: 3,
  dropped: 1,
  nodes: [
    { node: "rig", state: "failed", reason: "no route" },
    { node: "zeus", state: "stopped" },
    { node: "hera", state: "nothing" },
  ],
};
const stopped = { ...cancelled, nodes: cancelled.nodes.slice(1) };

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
