import type { GpuUsage, RunUsage } from "../executor/run/record/usagesums.js";
import { CARD_FIGURES, type CardFigure, THROTTLE_REASONS } from "../fleet/gpus/cardfigures.js";
import type { MetricFamily, MetricSample } from "./metricfamily.js";

const JOULES_PER_WATT_HOUR = 3600;

/** The unit of each figure in the name of its metric, and what it is. */
const UNITS: Record<CardFigure, readonly [name: string, help: string]> = {
  busy: ["busy_percent", "Share of the time in which the GPU computed, percent"],
  used: ["memory_used_bytes", "Used memory of the GPU, bytes"],
  watts: ["power_watts", "Power of the GPU, watts"],
  celsius: ["temperature_celsius", "Temperature at the edge of the GPU, degrees Celsius"],
  junctionCelsius: ["junction_temperature_celsius", "Temperature at the hottest place of the GPU, degrees Celsius"],
  memoryCelsius: ["memory_temperature_celsius", "Temperature of the memory of the GPU, degrees Celsius"],
  mhz: ["clock_megahertz", "Clock of the cores of the GPU, MHz"],
  memoryMhz: ["memory_clock_megahertz", "Clock of the memory of the GPU, MHz"],
  fan: ["fan_percent", "Speed of the fan of the GPU, percent of its full speed"],
};

type Labelled = readonly [labels: Record<string, string>, usage: GpuUsage];

/** Returns the metrics of what GPUs used for results: of a run, its nodes and their cards. `labels`: of the run. */
export function buildUsageMetrics(
  usages: readonly { labels: Record<string, string>; usage: RunUsage }[],
): MetricFamily[] {
  const runs = usages.map(({ labels, usage }): Labelled => [labels, usage]);
  const nodes = usages.flatMap(({ labels, usage }) =>
    usage.nodes.map((node): Labelled => [{ ...labels, node: node.node }, node]),
  );
  const cards = usages.flatMap(({ labels, usage }) =>
    usage.nodes.flatMap(({ node, cards: own }) =>
      own.map((card): Labelled => [{ ...labels, node, gpu: card.pci, model: card.model ?? "unknown" }, card]),
    ),
  );
  return [
    ...buildTotals("muster_run", runs),
    ...buildTotals("muster_run_node", nodes),
    ...buildTotals("muster_run_gpu", cards),
    ...CARD_FIGURES.flatMap((name) => buildFigure(name, cards)),
  ];
}

function buildTotals(prefix: string, usages: readonly Labelled[]): MetricFamily[] {
  const family = (name: string, help: string, read: (usage: GpuUsage) => number | undefined): MetricFamily => ({
    name: `${prefix}_${name}`,
    help,
    samples: usages.flatMap(([labels, usage]) => toSamples(labels, read(usage))),
  });
  return [
    family("energy_joules", "Energy of GPUs for results of this session, joules.", ({ wattHours }) =>
      wattHours === undefined ? undefined : wattHours * JOULES_PER_WATT_HOUR,
    ),
    family("units_per_watt_hour", "Units of results for each Wh of GPUs.", (usage) => usage.unitsPerWattHour),
    family("energy_cost", "Cost of that energy, by the price of the inventory.", (usage) => usage.cost),
    family("sampled_seconds", "Time of GPUs that the samples stand for, seconds.", (usage) => usage.seconds),
    family("computed_seconds", "Time in which GPUs computed results, seconds.", (usage) => usage.computedSeconds),
    family(
      "idle_seconds",
      "Time in which GPUs computed nothing for minutes in chunks, seconds.",
      (usage) => usage.idleSeconds ?? 0,
    ),
    {
      name: `${prefix}_throttled_seconds`,
      help: "Time in which the clocks of GPUs were held down, by reason, seconds.",
      samples: usages.flatMap(([labels, { throttled = {} }]) =>
        THROTTLE_REASONS.flatMap((reason) => toSamples({ ...labels, reason }, throttled[reason])),
      ),
    },
  ];
}

function buildFigure(name: CardFigure, cards: readonly Labelled[]): MetricFamily[] {
  const [metric, help] = UNITS[name];
  return (["mean", "max"] as const).map((kind) => ({
    name: `muster_run_gpu_${metric}_${kind}`,
    help: `${help}: ${kind === "mean" ? "mean" : "maximum"} over the results of this session.`,
    samples: cards.flatMap(([labels, usage]) => toSamples(labels, usage[name]?.[kind])),
  }));
}

function toSamples(labels: Record<string, string>, value: number | undefined): MetricSample[] {
  return value === undefined ? [] : [{ labels, value }];
}
