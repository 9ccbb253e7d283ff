import type { Pipeline } from "../../executor/pipeline/pipeline.js";
import type { PipelineSummary } from "../../executor/pipeline/pipelinesummary.js";
import type { CancelledRun } from "../../executor/run/cancelrun.js";
import type { FollowEvent } from "../../executor/run/follow/followevent.js";
import type { CacheReport } from "../../executor/run/node/cachereport.js";
import type { JournalEntry, RecheckDifference } from "../../executor/run/record/journalentry.js";
import type { RunHistory } from "../../executor/run/record/runhistory.js";
import type { RunStatus } from "../../executor/run/record/runstatus.js";
import type { RunSummary } from "../../executor/run/record/runsummary.js";
import type { RunUsage } from "../../executor/run/record/usagesums.js";
import type { Failure } from "../../executor/schedule/events.js";
import type { RunPlan } from "../../executor/schedule/plan/planjob.js";
import type { NodeFacts } from "../../fleet/allfacts.js";
import type { NodeOutcome } from "../../fleet/eachnode.js";
import type { Facts } from "../../fleet/facts.js";
import type { HealDecision } from "../../fleet/healing/decidehealing.js";
import type { HealStep } from "../../fleet/healing/healcontext.js";
import type { NodeReport } from "../../playbooks/engine/inspecteachnode.js";
import type { Verdict } from "../../playbooks/engine/resource.js";
import { MusterError } from "../../schemas/errors.js";
import { createNode } from "../fleet/nodes.js";

export const failure: Failure = {
  chunk: "7",
  node: "rig",
  slot: 1,
  attempt: 2,
  exit: 1,
  signal: null,
  reason: "exit code 1",
  detail: "ValueError",
  stderr: "Traceback\nValueError\n",
};
export const differing: RecheckDifference = {
  chunk: "8",
  first: { node: "rig", slot: 0, fingerprint: undefined } as RecheckDifference["first"],
  second: { node: "zeus", slot: 0, fingerprint: undefined } as RecheckDifference["second"],
  what: "r.json: byte 3",
};
const figures = {
  results: 1,
  seconds: 40,
  computedSeconds: 50,
  wattHours: 1.5,
  unitsPerWattHour: 20,
  cost: 0.00045,
  busy: { mean: 97.5, max: 100 },
  used: { mean: 2 ** 30, max: 2 ** 31 },
  watts: { mean: 98.4, max: 101 },
  celsius: { mean: 61, max: 63 },
  junctionCelsius: { mean: 75, max: 80 },
  memoryCelsius: { mean: 80, max: 82 },
  throttled: { heat: 20, power: 90 },
  idleSeconds: 130,
};
export const usage: RunUsage = {
  ...figures,
  nodes: [{ ...figures, node: "rig", price: 0.3, cards: [{ ...figures, pci: "0000:03:00.0", model: "RX 6600" }] }],
};
export const summary: RunSummary = {
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
  usage,
  failures: [failure],
  error: "the disk is full",
  next: "Make room.",
};
export const standing: RunStatus = {
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
export const history: RunHistory = {
  status: standing,
  seconds: 100,
  sessions: [
    { number: 1, began: "2026-11-25T20:00:00.000Z", from: 0, seconds: 80 },
    { number: 2, began: "2026-11-26T08:00:00.000Z", from: 80, seconds: 20 },
  ],
  executions: [{ chunk: "7", node: "rig", slot: 0, slots: [0], attempt: 2, units: 10n, seconds: 50, from: 0, end: 50 }],
  failedAttempts: [
    { e: "tried", from: 2, at: 12, chunk: "7", node: "rig", slot: 1, attempt: 1, reason: "exit code 1" },
  ],
  stoppedAttempts: [
    {
      e: "stopped",
      from: 60,
      at: 70,
      seconds: 10,
      chunk: "9",
      node: "rig",
      slot: 1,
      attempt: 1,
      why: "superseded",
    },
  ],
  unstartedStops: [],
  openAttempts: [{ chunk: "11", node: "rig", slot: 0, attempt: 1, from: 90 }],
  nodeEntries: [
    { e: "node", at: 1, node: "rig", state: "live", slots: [0, 1] },
    { e: "node", at: 30, node: "rig", state: "silent", reason: "no answer" },
  ],
  slotEntries: [{ e: "slot", at: 12, node: "rig", slot: 1, out: "ECC errors" }],
  healEntries: [{ e: "heal", at: 13, node: "rig", step: "failed", text: "healing failed: no answer" }],
  idleEntries: [{ e: "idle", at: 20, chunk: "7", node: "rig", slot: 0, attempt: 2, pci: "0000:03:00.0", seconds: 120 }],
  usage,
  failures: [failure],
  summary: { ...summary, state: "complete" },
  missing: ["an older muster wrote this"],
};
export const plan: RunPlan = {
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
export const pipelineSummary = {
  name: "nightly",
  state: "partial",
  directory: "/runs/nightly",
  seconds: 10,
  steps: [
    { step: "sieve", kind: "job", state: "failed", seconds: 3, reason: "first\nsecond", run: summary },
    { step: "check", kind: "verify", state: "drift", seconds: 3, reason: "drift" },
  ],
} as unknown as PipelineSummary;
export const pipeline = {
  name: "nightly",
  steps: [
    {
      name: "sieve",
      needs: [],
      inputs: [],
      when: "always",
      action: { kind: "job", source: { kind: "file", path: "/jobs/sieve.yaml" } },
      each: { kind: "values", values: ["a"] },
    },
    {
      name: "made",
      needs: [],
      inputs: [],
      action: { kind: "job", source: { kind: "output", step: "next", file: "jobs.json" } },
    },
    { name: "next", needs: [], inputs: [], action: { kind: "command", argv: [["run"], [{ name: "out" }]] } },
    { name: "ready", needs: [], inputs: [], action: { kind: "provision", playbooks: ["ramdisk"] } },
  ],
} as unknown as Pipeline;

export const facts: Facts = {
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
export const error = new MusterError("LOST", "gone", { next: "Look.", node: "rig" });
export const caches: NodeOutcome<CacheReport>[] = [
  {
    node: createNode({ name: "rig" }),
    value: {
      folder: "/home/rig/.muster/cache",
      count: 2,
      entries: [{ kind: "contents", name: "0a".repeat(32), bytes: 1000, age: 60, used: true }],
      limit: 1 << 30,
      contents: { count: 1, bytes: 1000 },
      builds: { count: 1, bytes: 2000 },
      usedBytes: 1000,
      oldest: 3600,
    },
  },
  {
    node: createNode({ name: "apollo" }),
    value: { folder: "/c", count: 0, entries: [], problem: "/c belongs to eve; have root remove it" },
  },
  { node: createNode({ name: "zeus" }), error },
];

export const looks: NodeFacts[] = [
  { node: createNode({ name: "rig", gpus: 2 }), facts, hostKey: "ssh-ed25519 SHA256:x", gpuHealth: [] },
  { node: createNode({ name: "zeus" }), error },
];
export const verdict: Verdict = {
  playbook: "p",
  resource: "files /etc",
  state: "drift",
  differences: [{ what: "x", have: "1", want: "2", diff: "-1\n+2\n" }],
  reason: "r",
  next: "n",
  notes: ["soon"],
};
export const reports: NodeReport[] = [
  { node: createNode({ name: "rig" }), inspection: { fingerprint: "f", verdicts: [verdict] } },
  { node: createNode({ name: "b" }), skipped: "not rebooted" },
  { node: createNode({ name: "c" }), error },
];
export const cancelled: CancelledRun = {
  name: "sieve",
  directory: "/runs/sieve",
  state: "cancelled",
  chunks: 3,
  collected: 1,
  dropped: 1,
  uncollected: "job.yaml: input data.json does not exist",
  nodes: [
    { node: "rig", state: "failed", reason: "no route" },
    { node: "zeus", state: "stopped" },
    { node: "hera", state: "nothing" },
  ],
};
export const stopped = { ...cancelled, nodes: cancelled.nodes.slice(1) };

const place = { chunk: "trial=3", node: "rig", slot: 2 };
const outcome = { exit: 0, signal: null, timeout: false, cancelled: false };

/** What happens to chunks whose output is followed. */
export const followEvents: Exclude<FollowEvent, { type: "output" }>[] = [
  { type: "started", ...place },
  { type: "copy", ...place },
  { type: "dropped", chunk: "trial=3", stream: "out", bytes: 5000 },
  { type: "dropped", chunk: "trial=3", stream: "err", bytes: null },
  { type: "collected", chunk: "trial=3", isRest: false },
  { type: "collected", chunk: "trial=3", isRest: true },
  { type: "failed", attempt: 2, reason: "exit code 1", ...place },
  { type: "nodeLost", node: "rig", reason: "no route to the machine", isRetried: true },
  { type: "ended", ...place, outcome: undefined },
  { type: "ended", ...place, outcome },
  ...[{ exit: 1 }, { signal: 9 }, { timeout: true }, { cancelled: true }, { fault: "no output hits.json" }].map(
    (keys) => ({ type: "ended" as const, ...place, outcome: { ...outcome, ...keys } }),
  ),
];

export const healDecisions: HealDecision[] = [
  { node: "a", reason: "away: no route", do: "heal", from: "away", action: "power-cycle" },
  { node: "b", reason: "sick: N/A", do: "give up", why: "it was healed twice" },
  { node: "c", reason: "sick: N/A", do: "wait", why: "run x is on it" },
  { node: "d", reason: "refused: no key", do: "leave", why: "it answers" },
  { node: "e", reason: "it is well again", do: "release" },
];

export const healStep: HealStep = { node: "rig", at: "", step: "failed", text: "healing failed: no answer" };

/** What a run journals of its nodes, and `muster attach` shows. */
export const noticeEntries: JournalEntry[] = [
  { e: "node", at: 1, node: "rig", state: "away", reason: "no route" },
  { e: "notice", at: 1, node: "rig", text: "slot 0 is disabled: is sick" },
  { e: "notice", at: 1, text: "chunk 7: name data.txt in `inputs`" },
];
