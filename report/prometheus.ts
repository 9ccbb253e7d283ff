import type { PipelineSummary } from "../executor/pipeline/pipelinesummary.js";
import type { RunSummary } from "../executor/run/record/runsummary.js";
import type { Facts } from "../fleet/facts.js";
import { type HealRecords, listRecentHealings } from "../fleet/healing/healrecord.js";
import type { NodeReport } from "../playbooks/engine/inspecteachnode.js";
import type { ResourceState, Verdict } from "../playbooks/engine/resource.js";
import { buildDriftDocument, RESOURCE_STATES } from "./drifttext.js";
import { escapeUnsafe } from "./format.js";
import type { MetricFamily, MetricSample } from "./metricfamily.js";
import { buildUsageMetrics } from "./usagemetrics.js";

/** Formats gauges in the Prometheus text format, as the textfile collector of node_exporter reads it. Empty families are left out. */
export function formatMetrics(families: MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, samples }) => {
      const lines = samples.map(({ labels, value }) => `${name}${formatLabels(labels)} ${formatNumber(value)}\n`);
      return `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} gauge\n${lines.join("")}`;
    })
    .join("");
}

/** Returns the metrics of a verification. `facts`: of the nodes that answered. `now` is Unix time in seconds. */
export function buildVerifyMetrics(
  reports: NodeReport[],
  facts: ReadonlyMap<string, Facts>,
  exit: number,
  now: number,
): MetricFamily[] {
  const perNode = (help: string, name: string, read: (report: NodeReport) => number | undefined): MetricFamily => ({
    name: `muster_${name}`,
    help,
    samples: reports.flatMap((report) => optionalSample({ node: report.node.name }, read(report))),
  });
  const factOf = (help: string, name: string, read: (facts: Facts) => number | undefined): MetricFamily =>
    perNode(help, name, ({ node }) => (facts.has(node.name) ? read(facts.get(node.name)!) : undefined));
  return [
    {
      name: "muster_verify_exit_code",
      help: "Exit status of muster verify: 0 in sync, 2 drift.",
      samples: [{ labels: {}, value: exit }],
    },
    {
      name: "muster_verify_time_seconds",
      help: "Time of the verification, Unix time.",
      samples: [{ labels: {}, value: now }],
    },
    ...buildDriftMetrics([{ labels: {}, document: buildDriftDocument(reports) }]),
    perNode("GPUs that the inventory lists for the node.", "node_gpus_expected", ({ node }) => node.gpus),
    factOf("GPUs that the node has.", "node_gpus", (fact) => fact.gpus.length),
    factOf("Available memory of the node, bytes.", "node_memory_available_bytes", (fact) => fact.memory.available),
    factOf(
      "Free disk space in the work directory of the node, bytes.",
      "node_disk_free_bytes",
      (fact) => fact.disk?.free,
    ),
    factOf("Time since the node booted, seconds.", "node_uptime_seconds", (fact) => fact.uptime),
    {
      name: "muster_gpu_memory_bytes",
      help: "Memory of a GPU, bytes; 0 if unknown.",
      samples: reports.flatMap(({ node }) =>
        (facts.get(node.name)?.gpus ?? []).map((gpu, index) => gpuMemorySample(node.name, gpu, index)),
      ),
    },
  ];
}

/** Returns the metrics of a run of a job. `now` is Unix time in seconds. */
export function buildRunMetrics(summary: RunSummary, exit: number, now: number): MetricFamily[] {
  const run = summary.name;
  const perNode = (name: string, help: string, read: (node: RunSummary["nodes"][number]) => number): MetricFamily => ({
    name: `muster_run_node_${name}`,
    help,
    samples: summary.nodes.map((node) => ({ labels: { run, node: node.node }, value: read(node) })),
  });
  return [
    ...buildCommonRunMetrics(run, summary.state, summary.session.seconds, exit, now),
    {
      name: "muster_run_chunks",
      help: "Chunks of the run so far, by result.",
      samples: [
        { labels: { run, result: "done" }, value: summary.chunks.done },
        { labels: { run, result: "failed" }, value: summary.chunks.failed },
        { labels: { run, result: "stopped" }, value: summary.chunks.stopped ?? 0 },
      ],
    },
    perNode("slots", "Slots of the node in the run.", (node) => node.slots),
    perNode("chunks", "Chunks completed by the node in this session.", (node) => node.chunks),
    {
      name: "muster_run_node_healings",
      help: "Healings of the node in this session, by outcome.",
      samples: summary.nodes.flatMap(({ node, healings }) =>
        Object.entries(healings ?? {}).map(([outcome, value]) => ({ labels: { run, node, outcome }, value })),
      ),
    },
    perNode("failed_attempts", "Attempts that failed on the node in this session.", (node) => node.failedAttempts),
    ...(summary.usage === undefined ? [] : buildUsageMetrics([{ labels: { run }, usage: summary.usage }])),
  ];
}

/** Returns the metrics of a run of a pipeline. `now` is Unix time in seconds. */
export function buildPipelineMetrics(summary: PipelineSummary, exit: number, now: number): MetricFamily[] {
  const run = summary.name;
  return [
    ...buildCommonRunMetrics(run, summary.state, summary.seconds, exit, now),
    ...buildDriftMetrics(
      summary.steps.flatMap(({ step, drift }) =>
        drift === undefined ? [] : [{ labels: { run, step }, document: drift as DriftDocument }],
      ),
    ),
    {
      name: "muster_step_state",
      help: "1 for the current state of a step of the pipeline.",
      samples: summary.steps.map(({ step, state }) => ({ labels: { run, step, state }, value: 1 })),
    },
    {
      name: "muster_step_seconds",
      help: "Duration of a step of the pipeline, seconds.",
      samples: summary.steps.flatMap(({ step, seconds }) => optionalSample({ run, step }, seconds)),
    },
    {
      name: "muster_step_chunks",
      help: "Chunks of a step's job, by result.",
      samples: summary.steps.flatMap(({ step, run: job }) =>
        job === undefined
          ? []
          : (["done", "failed"] as const).map((result) => ({
              labels: { run, step, result },
              value: job.chunks[result],
            })),
      ),
    },
    ...buildUsageMetrics(
      summary.steps.flatMap(({ step, run: job }) =>
        job?.usage === undefined ? [] : [{ labels: { run, step }, usage: job.usage }],
      ),
    ),
  ];
}

/** Returns the metrics of healing at `nowMs` (Unix time). `records`: of the nodes, by name. */
export function buildHealMetrics(
  nodes: readonly { name: string }[],
  records: HealRecords,
  nowMs: number,
): MetricFamily[] {
  const known = nodes.map(({ name }) => ({ name, record: records.get(name) ?? { healings: [] } }));
  const outcomes = ["healed", "failed"] as const;
  return [
    {
      name: "muster_heal_time_seconds",
      help: "Time of the last look at the nodes, Unix time.",
      samples: [{ labels: {}, value: nowMs / 1000 }],
    },
    {
      name: "muster_node_unwell_seconds",
      help: "How long the node has been away, or had a sick GPU, seconds; 0 if it is well.",
      samples: known.map(({ name, record: { unwell } }) => ({
        labels: { node: name },
        value: unwell === undefined ? 0 : (nowMs - Date.parse(unwell.since)) / 1000,
      })),
    },
    {
      name: "muster_node_healings",
      help: "Healings of the node within 24 hours, by outcome.",
      samples: known.flatMap(({ name, record }) =>
        outcomes.map((outcome) => ({
          labels: { node: name, outcome },
          value: listRecentHealings(record, nowMs).filter((one) => (one.outcome ?? "failed") === outcome).length,
        })),
      ),
    },
  ];
}

function buildCommonRunMetrics(run: string, state: string, seconds: number, exit: number, now: number): MetricFamily[] {
  const family = (name: string, help: string, value: number, labels = {}): MetricFamily => ({
    name: `muster_run_${name}`,
    help,
    samples: [{ labels: { run, ...labels }, value }],
  });
  return [
    family("exit_code", "Exit status of the run: 0 done, 3 partly.", exit),
    family("state", "1 for the state that the run ended in.", 1, { state }),
    family("seconds", "Duration of the last session of the run, seconds.", seconds),
    family("end_time_seconds", "End time of the last session, Unix time.", now),
  ];
}

type DriftDocument = ReturnType<typeof buildDriftDocument>;

/** Returns the metrics of inspected nodes. `labels` keep several inspections of one node apart. */
function buildDriftMetrics(inspections: { labels: Record<string, string>; document: DriftDocument }[]): MetricFamily[] {
  const nodes = inspections.flatMap(({ labels, document }) =>
    document.nodes.map((one) => ({ ...one, labels: { ...labels, node: one.node } })),
  );
  const synced = { "in sync": 1, differs: 0 } as Record<string, number>;
  return [
    {
      name: "muster_node_reachable",
      help: "Whether the node could be inspected.",
      samples: nodes.map(({ labels, state }) => ({ labels, value: Number(state !== "unreachable") })),
    },
    {
      name: "muster_node_in_sync",
      help: "Whether the node is in the state that its playbooks describe.",
      samples: nodes.flatMap(({ labels, state }) => optionalSample(labels, synced[state])),
    },
    {
      name: "muster_node_resources",
      help: "Resources of the node, by playbook and state.",
      samples: nodes.flatMap(({ labels, resources }) => countResources(labels, resources)),
    },
  ];
}

function countResources(labels: Record<string, string>, verdicts: Verdict[]): MetricSample[] {
  const playbooks = [...new Set(verdicts.map(({ playbook }) => playbook))];
  const count = (playbook: string, state: ResourceState) =>
    verdicts.filter((one) => one.playbook === playbook && one.state === state).length;
  return playbooks.flatMap((playbook) =>
    RESOURCE_STATES.map((state) => ({ labels: { ...labels, playbook, state }, value: count(playbook, state) })),
  );
}

function gpuMemorySample(node: string, gpu: Facts["gpus"][number], index: number): MetricSample {
  const { vendor, model, pci, vram } = gpu;
  return { labels: { node, gpu: pci ?? `${index}`, vendor, model: model ?? "unknown" }, value: vram ?? 0 };
}

function optionalSample(labels: Record<string, string>, value: number | undefined): MetricSample[] {
  return value === undefined ? [] : [{ labels, value }];
}

function formatLabels(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escapeText(value).replaceAll('"', '\\"')}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeText(text: string): string {
  return escapeUnsafe(text).replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}
