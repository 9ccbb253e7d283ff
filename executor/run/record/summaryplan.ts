import type { RunPlan } from "../../schedule/plan/planjob.js";
import type { RunSummary } from "./runsummary.js";

/** A summary with what was expected of the session before it, for everybody to compare; as it is where nothing was known. */
export function addPlan(summary: RunSummary, plan: RunPlan): RunSummary {
  const { chunks, seconds } = plan;
  if (chunks === undefined || seconds === undefined) return summary;
  const shares = new Map(plan.nodes.map((node) => [node.node, node]));
  return {
    ...summary,
    planned: { chunks, seconds: Number(seconds.toFixed(3)) },
    nodes: summary.nodes.map((node) => {
      const share = shares.get(node.node);
      if (share?.chunks === undefined || share.units === undefined) return node;
      return { ...node, planned: { chunks: share.chunks, units: share.units } };
    }),
  };
}
