/** One value with its labels. */
export interface MetricSample {
  labels: Record<string, string>;
  value: number;
}

/** A metric family. `help` describes it with its unit. */
export interface MetricFamily {
  name: string;
  help: string;
  samples: MetricSample[];
}
