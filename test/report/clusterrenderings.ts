import type { ClusterPlan } from "../../executor/run/pilots/plancluster.js";
import { type ClusterReport, formatClusterChecks } from "../../report/clusterchecks.js";
import {
  type ClusterLook,
  formatClusterLine,
  formatClustersTable,
  formatUnusableClusters,
} from "../../report/clusterstable.js";
import { toPrintableText } from "../../report/format.js";
import { formatLiveRun } from "../../report/livetext.js";
import { renderRun } from "../../report/liveview.js";
import { foldPilotNames } from "../../report/pilottext.js";
import { formatPlan } from "../../report/plantext.js";
import { formatTotalProgress } from "../../report/progresstext.js";
import { clusterLooks, clusterReports } from "./clustersample.js";
import { createLiveNode, createLiveRun, LIVE_NOW_MS } from "./liverunsample.js";

const frame = { columns: 80, rows: 24, nowMs: LIVE_NOW_MS, paint: (text: string) => text };
const pilots = [{ cluster: "hpc", id: "1", state: "pending" as const, reason: "Priority" }];
const ended = ["hpc/1", "hpc/2", "hpc/3", "hpc/4"].map((node) => createLiveNode(node, { state: "ended" }));
const clusterPlan = { cluster: "hpc", pilots: 2, chunksPerPilot: 4, timeSeconds: 600, overflowAfterSeconds: 60 };
const plan = { job: "sieve", units: "10", nodes: [], unplaceable: [] };

/** Words that are compared, not shown. */
const exact = new Set(["state", "what", "partition"]);

const ofLooks = (show: (looks: ClusterLook[]) => string) => {
  return { input: clusterLooks, show: show as (input: unknown) => string, exact };
};
const ofPilots = (show: (live: ReturnType<typeof createLiveRun>) => string) => ({
  input: { pilots, ended: ended.map(({ node }) => node) },
  show: (input: unknown) => {
    const { pilots: waiting, ended: names } = input as { pilots: typeof pilots; ended: string[] };
    const nodes = names.map((node, index) => ({ ...ended[index]!, node }));
    return show(createLiveRun({ pilots: waiting, nodes }));
  },
  exact,
});
const ofReports = (show: (reports: ClusterReport[]) => string) => {
  return { input: clusterReports, show: show as (input: unknown) => string, exact };
};

/** Every function that returns text about clusters for people, by name. */
export const CLUSTER_TEXTS = {
  formatClustersTable: ofLooks(formatClustersTable),
  formatUnusableClusters: ofLooks(formatUnusableClusters),
  formatClusterLine: ofLooks((all) => all.map(formatClusterLine).join("\n")),
  formatClusterChecks: ofReports((all) => formatClusterChecks(all, "all")),
  "formatPlan with clusters": {
    input: [clusterPlan, { ...clusterPlan, refused: "it has no GPU" }],
    show: (input: unknown) => formatPlan(plan, input as ClusterPlan[]),
    exact,
  },
  "formatLiveRun with pilots": ofPilots((live) => toPrintableText(formatLiveRun(live, LIVE_NOW_MS, true))),
  "renderRun with pilots": ofPilots((live) => renderRun(live, "sieve", frame).join("\n")),
  "formatTotalProgress with pilots": ofPilots((live) => formatTotalProgress(live, LIVE_NOW_MS)),
  "formatRunStatus with pilots": {
    input: ended.map(({ node }) => node),
    show: (input: unknown) => toPrintableText(foldPilotNames(input as string[])),
    exact,
  },
};
