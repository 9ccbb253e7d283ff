import type { RunView } from "../executor/run/runobserver.js";
import { countColumns, padToColumns, takeColumns } from "./columns.js";
import { formatCount, formatDuration, formatRate, pluralize, toOneLine, toPrintableText } from "./format.js";

/** Returns the current progress of a run: a line for each node and one for all, each of at most `width` columns. */
export function formatProgress(view: RunView, width: number): string[] {
  const name = Math.max(4, ...view.workers.map((worker) => countColumns(toOneLine(worker.node.name))));
  const lines = view.workers.map((worker) => {
    const label = padToColumns(toOneLine(worker.node.name), name);
    if (worker.state !== "live")
      return `${label}  ${worker.state}${worker.reason === undefined ? "" : `: ${worker.reason}`}`;
    const { chunks, units, failedAttempts, disabledSlots: out } = view.counters.forNode(worker.node.name);
    const disabled = [...out.values()].filter(({ back }) => !back).length;
    const parts = [
      pluralize(worker.slots.length, "slot"),
      `${formatCount(chunks)} done`,
      formatRate(Number(units) / view.counters.seconds),
    ];
    if (disabled > 0) parts.push(`${pluralize(disabled, "slot")} disabled`);
    if (worker.memoryWaitingSlots > 0) parts.push(formatMemoryWait(worker.memoryWaitingSlots));
    if (failedAttempts > 0) parts.push(`${formatCount(failedAttempts)} failed`);
    return `${label}  ${parts.join(", ")}`;
  });
  return [...lines, formatTotalProgress(view)].map((line) => takeColumns(toOneLine(line), width - 1));
}

/** Formats how many slots of a node wait until its memory suffices for their work. */
export function formatMemoryWait(short: number): string {
  return short === 0
    ? "no slot waits for memory now"
    : `${pluralize(short, "slot")} wait${short === 1 ? "s" : ""} for memory`;
}

/** Returns the progress of a run on one line: share, chunks, rate of this session, time left, failures. */
export function formatTotalProgress(view: RunView): string {
  const { counters } = view;
  const { units: total, kind } = counters.job;
  const share = total === 0n ? 100 : Number((counters.units * 1000n) / total) / 10;
  const done =
    kind === "range"
      ? pluralize(counters.chunks, "chunk")
      : `${formatCount(counters.chunks)} of ${pluralize(total, "chunk")}`;
  const rate = [...counters.nodes.values()].reduce((sum, node) => sum + Number(node.units), 0) / counters.seconds;
  const left = rate > 0 ? `, ${formatDuration(Number(total - counters.units) / rate)} left` : "";
  const failed = counters.failed === 0 ? "" : `, ${pluralize(counters.failed, "chunk")} failed`;
  return toPrintableText([`${counters.job.name}: ${share} %, ${done}, ${formatRate(rate)}${left}${failed}`]);
}
