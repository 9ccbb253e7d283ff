import type { RunPlan } from "../../schedule/plan/planjob.js";
import type { RunSummary } from "./runsummary.js";

/** Returns the summary with the prediction for its session, to compare with; unchanged if there is none, or not all rates were known. */
export function addPlan(summary: RunSummary, plan: RunPlan | undefined): RunSummary {
  const { chunks, seconds, isGuess, startupSeconds } = plan ?? {};
  if (plan === undefined || chunks === undefined || seconds === undefined) return summary;
  const shares = new Map(plan.nodes.map((node) => [node.node, node]));
  return {
    ...summary,
    planned: {
      chunks,
      seconds: Number(seconds.toFixed(3)),
      ...(isGuess ? { isGuess } : {}),
      ...(startupSeconds === undefined ? { isWorkOnly: true } : {}),
    },
    nodes: summary.nodes.map((node) => {
      const share = shares.get(node.node);
      if (share?.chunks === undefined || share.units === undefined) return node;
      return { ...node, planned: { chunks: share.chunks, units: share.units } };
    }),
  };
}
