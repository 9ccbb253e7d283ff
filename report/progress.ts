import type { View } from "../executor/run/observer.js";
import { count, duration, oneLine, plural, rate, textOf } from "./format.js";
import { columnsOf, firstColumns, padEndColumns } from "./width.js";

/** One line a node and one for all, as a run stands now; at most `width` columns. */
export function progressLines(view: View, width: number): string[] {
  const name = Math.max(4, ...view.members.map((member) => columnsOf(oneLine(member.node.name))));
  const lines = view.members.map((member) => {
    const label = padEndColumns(oneLine(member.node.name), name);
    if (member.state !== "live")
      return `${label}  ${member.state}${member.reason === undefined ? "" : `: ${member.reason}`}`;
    const { chunks, units, failedAttempts, out } = view.tally.of(member.node.name);
    const gone = [...out.values()].filter(({ back }) => !back).length;
    const parts = [
      plural(member.slots.length, "slot"),
      `${count(chunks)} done`,
      rate(Number(units) / view.tally.seconds),
    ];
    if (gone > 0) parts.push(`${plural(gone, "slot")} out`);
    if (member.short > 0) parts.push(memoryText(member.short));
    if (failedAttempts > 0) parts.push(`${count(failedAttempts)} failed`);
    return `${label}  ${parts.join(", ")}`;
  });
  return [...lines, totalLine(view)].map((line) => firstColumns(oneLine(line), width - 1));
}

/** So many slots of a node have work that its memory cannot hold now. */
export function memoryText(short: number): string {
  return short === 0
    ? "no slot waits for memory any more"
    : `${plural(short, "slot")} wait${short === 1 ? "s" : ""} for memory`;
}

/** All of a run in one line: "12 of 40 chunks"-like progress, rate, time left, failures. */
export function totalLine(view: View): string {
  const { tally } = view;
  const { units: total, kind } = tally.job;
  const share = total === 0n ? 100 : Number((tally.units * 1000n) / total) / 10;
  const done = kind === "range" ? plural(tally.chunks, "chunk") : `${count(tally.chunks)} of ${plural(total, "chunk")}`;
  const here = [...tally.nodes.values()].reduce((sum, node) => sum + Number(node.units), 0) / tally.seconds;
  const left = here > 0 ? `, ${duration(Number(total - tally.units) / here)} left` : "";
  const failed = tally.failed === 0 ? "" : `, ${plural(tally.failed, "chunk")} failed`;
  return textOf([`${tally.job.name}: ${share} %, ${done}, ${rate(here)}${left}${failed}`]);
}
