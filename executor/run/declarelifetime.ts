import { describePlace } from "../../fleet/slurm/slurmerror.js";
import type { Job } from "../job/job.js";
import type { Event } from "../schedule/events.js";
import { usableSeconds } from "./pilots/stuckpilots.js";
import type { UsedCluster } from "./pilots/usedcluster.js";

/** Returns what a run on clusters alone knows beforehand of the time that its nodes have. */
export function declareLifetime(
  { kind }: Pick<Job, "kind">,
  clusters: readonly [UsedCluster, ...UsedCluster[]],
): Extract<Event, { type: "lifetimeDeclared" }> {
  const { cluster } = clusters.reduce((longest, one) =>
    usableSeconds(one.cluster) > usableSeconds(longest.cluster) ? one : longest,
  );
  const smaller = kind === "range" ? ", make `chunk` smaller" : "";
  const place = describePlace(cluster.positions.time);
  const advice = `raise \`time\` of ${cluster.name}${place}${smaller}, or have its program save a state (\`state: true\` of the job)`;
  return { type: "lifetimeDeclared", seconds: usableSeconds(cluster), advice };
}
