import type { PipelineSummary } from "../executor/pipeline/summary.js";
import type { Summary } from "../executor/run/summary.js";
import type { Facts } from "../fleet/facts.js";
import type { NodeReport } from "../playbooks/engine/fleet.js";
import type { State } from "../playbooks/engine/resource.js";
import { STATES } from "./drift.js";

/** One figure, with what it is of. */
export interface Sample {
  labels: Record<string, string>;
  value: number;
}

/** Figures of one kind. `help`: what they are, with their unit. */
export interface Family {
  name: string;
  help: string;
  samples: Sample[];
}

/** The text format of Prometheus, as node_exporter's textfile collector reads it: gauges, each family once, and no empty one. */
export function metricsText(families: Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, samples }) => {
      const lines = samples.map(({ labels, value }) => `${name}${labelsText(labels)} ${numberText(value)}\n`);
      return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} gauge\n${lines.join("")}`;
    })
    .join("");
}

/** Figures of a verification. `facts`: of the nodes that answered; `now`: Unix time. */
export function verifyFamilies(
  reports: NodeReport[],
  facts: ReadonlyMap<string, Facts>,
  exit: number,
  now: number,
): Family[] {
  const of = (help: string, name: string, read: (report: NodeReport) => number | undefined): Family => ({
    name: `muster_${name}`,
    help,
    samples: reports.flatMap((report) => sample({ node: report.node.name }, read(report))),
  });
  const factOf = (help: string, name: string, read: (facts: Facts) => number | undefined): Family =>
    of(help, name, ({ node }) => (facts.has(node.name) ? read(facts.get(node.name)!) : undefined));
  return [
    {
      name: "muster_verify_exit_code",
      help: "What muster verify ended with: 0 in sync, 2 drift.",
      samples: [{ labels: {}, value: exit }],
    },
    { name: "muster_verify_time_seconds", help: "When that was, Unix time.", samples: [{ labels: {}, value: now }] },
    of("Whether the node could be looked at.", "node_reachable", (report) => ("error" in report ? 0 : 1)),
    of("Whether the node is as its playbooks want it.", "node_in_sync", (report) =>
      "inspection" in report ? Number(report.inspection.verdicts.every(({ state }) => state === "ok")) : undefined,
    ),
    {
      name: "muster_node_resources",
      help: "Resources of the node, by playbook and state.",
      samples: reports.flatMap(resources),
    },
    of("GPUs that the inventory says the node has.", "node_gpus_expected", ({ node }) => node.gpus),
    factOf("GPUs that the node has.", "node_gpus", (fact) => fact.gpus.length),
    factOf(
      "Memory that is available on the node, bytes.",
      "node_memory_available_bytes",
      (fact) => fact.memory.available,
    ),
    factOf("Space that is free where the node works, bytes.", "node_disk_free_bytes", (fact) => fact.disk?.free),
    factOf("Time since the node booted, seconds.", "node_uptime_seconds", (fact) => fact.uptime),
    {
      name: "muster_gpu_memory_bytes",
      help: "Memory of a GPU, bytes; 0 where its tools do not know.",
      samples: reports.flatMap(({ node }) =>
        (facts.get(node.name)?.gpus ?? []).map((gpu, index) => ofGpu(node.name, gpu, index)),
      ),
    },
  ];
}

/** Figures of a run of a job. `now`: Unix time. */
export function runFamilies(summary: Summary, exit: number, now: number): Family[] {
  const run = summary.name;
  const perNode = (name: string, help: string, read: (node: Summary["nodes"][number]) => number): Family => ({
    name: `muster_run_node_${name}`,
    help,
    samples: summary.nodes.map((node) => ({ labels: { run, node: node.node }, value: read(node) })),
  });
  return [
    ...ofAnyRun(run, summary.state, summary.session.seconds, exit, now),
    {
      name: "muster_run_chunks",
      help: "Chunks of the run so far, by what became of them.",
      samples: [
        { labels: { run, result: "done" }, value: summary.chunks.done },
        { labels: { run, result: "failed" }, value: summary.chunks.failed },
      ],
    },
    perNode("slots", "Slots of the node in the run: GPUs, or CPU slots.", (node) => node.slots),
    perNode("chunks", "Chunks that the node has done in this session.", (node) => node.chunks),
    perNode("failed_attempts", "Attempts that failed on the node in this session.", (node) => node.failedAttempts),
  ];
}

/** Figures of a run of a pipeline. `now`: Unix time. */
export function pipelineFamilies(summary: PipelineSummary, exit: number, now: number): Family[] {
  const run = summary.name;
  return [
    ...ofAnyRun(run, summary.state, summary.seconds, exit, now),
    {
      name: "muster_step_state",
      help: "1 for the state that a step of the pipeline is in.",
      samples: summary.steps.map(({ step, state }) => ({ labels: { run, step, state }, value: 1 })),
    },
    {
      name: "muster_step_seconds",
      help: "Time that a step of the pipeline took, seconds.",
      samples: summary.steps.flatMap(({ step, seconds }) => sample({ run, step }, seconds)),
    },
    {
      name: "muster_step_chunks",
      help: "Chunks of a step's job, by what became of them.",
      samples: summary.steps.flatMap(({ step, run: job }) =>
        job === undefined
          ? []
          : (["done", "failed"] as const).map((result) => ({
              labels: { run, step, result },
              value: job.chunks[result],
            })),
      ),
    },
  ];
}

function ofAnyRun(run: string, state: string, seconds: number, exit: number, now: number): Family[] {
  const one = (name: string, help: string, value: number, labels = {}): Family => ({
    name: `muster_run_${name}`,
    help,
    samples: [{ labels: { run, ...labels }, value }],
  });
  return [
    one("exit_code", "What the run ended with: 0 done, 3 partly.", exit),
    one("state", "1 for the state that the run ended in.", 1, { state }),
    one("seconds", "Time that the last session of the run took, seconds.", seconds),
    one("end_time_seconds", "When that was over, Unix time.", now),
  ];
}

function resources(report: NodeReport): Sample[] {
  if (!("inspection" in report)) return [];
  const { verdicts } = report.inspection;
  const playbooks = [...new Set(verdicts.map(({ playbook }) => playbook))];
  const count = (playbook: string, state: State) =>
    verdicts.filter((one) => one.playbook === playbook && one.state === state).length;
  return playbooks.flatMap((playbook) =>
    STATES.map((state) => ({ labels: { node: report.node.name, playbook, state }, value: count(playbook, state) })),
  );
}

function ofGpu(node: string, gpu: Facts["gpus"][number], index: number): Sample {
  const { vendor, model, pci, vram } = gpu;
  return { labels: { node, gpu: pci ?? `${index}`, vendor, model: model ?? "unknown" }, value: vram ?? 0 };
}

function sample(labels: Record<string, string>, value: number | undefined): Sample[] {
  return value === undefined ? [] : [{ labels, value }];
}

function labelsText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value).replaceAll('"', '\\"')}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}
